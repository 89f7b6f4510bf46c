"""Answers of a decoder for many prompts at once, each token in one batch: openvino-genai's continuous batching.

Only ids cross this boundary. One thread makes all calls of the pipeline: it takes no others meanwhile, and its steps
hold the interpreter's lock, so that a server runs it in a process of its own.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.errors import InputError, Overloaded
from glassworks.language.decoder_graph import exact
from glassworks.language.engine import Computing, Engine, Scoring
from glassworks.language.prefix_memory import PrefixMemory
from glassworks.language.sampling import Generated, Sampling
from glassworks.language.vocabulary import engine_tokenizer

if TYPE_CHECKING:
    import openvino_genai

_BLOCK_TOKENS = 32
"""Tokens in a block of the cache, on a CPU."""
_SILENCE_S = 0.05
"""After that a part without tokens comes."""
_AGAIN = "send the request again"


@dataclass(frozen=True, kw_only=True)
class EngineSettings(Computing):
    """`cache_tokens` over all answers. With `fp32` and a cache in `f32` answers do not depend on what else is in the
    batch; `kv_cache` may be `u8`.

    `step_tokens` of prompts are computed in one step; cancelling waits for the end of one.
    """

    cache_tokens: int
    threads: int
    precision: str = "fp32"
    kv_cache: str = "f32"
    step_tokens: int = 96
    prefix_caching: bool = True

    def engine(self, folder: Path, contents: Sequence[bytes]) -> Engine:
        return ContinuousBatching(folder, self, contents)

    def scorer(self, folder: Path, engine: Engine) -> Scoring:
        from glassworks.language.scoring import Scorer

        return Scorer(folder, self.threads, self.precision, self.kv_cache)


@dataclass(eq=False)
class _Request:
    ids: Sequence[int]
    sampling: Sampling
    answers: queue.SimpleQueue[Generated | Exception] = field(default_factory=queue.SimpleQueue)
    cancelled: bool = False
    handle: Any = None
    cached: int = 0
    """Tokens of the prompt that need not be computed."""
    answered: list[int] = field(default_factory=list)
    """Tokens of the answer so far; with the first of them the whole prompt is computed."""

    @property
    def blocks(self) -> int:
        """Most that it can use of the cache."""
        return -(-(len(self.ids) + self.sampling.max_tokens) // _BLOCK_TOKENS)


class ContinuousBatching(Engine):
    """The pipeline over the folder of a graph (`openvino_model.xml`). Safe to share between threads."""

    def __init__(self, folder: Path, settings: EngineSettings, contents: Sequence[bytes] = ()) -> None:
        """`contents` are the bytes of all tokens: without them no answer can keep to a grammar."""
        self._settings = settings
        self._open = partial(_opened, folder, settings, contents)
        self._pipeline = self._open()
        self._memory = PrefixMemory(_blocks(settings), _BLOCK_TOKENS)
        self._new: list[_Request] = []
        self._active: list[_Request] = []
        self._numbers = iter(range(1, 2**62))
        self._closed = False
        self._work = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="continuous batching", daemon=True)
        self._thread.start()

    @property
    def open_requests(self) -> int:
        return len(self._new) + len(self._active)

    def generate(self, ids: Sequence[int], sampling: Sampling) -> Generator[Generated, None, None]:
        request = _Request(ids=ids, sampling=sampling)
        with self._work:
            if self._closed:
                raise Overloaded("the engine was closed", _AGAIN)
            self._new.append(request)
            self._work.notify()
        try:
            while True:
                answer = _next(request.answers)
                if isinstance(answer, Exception):
                    raise answer
                yield answer
                if answer.finish_reason:
                    return
        finally:
            request.cancelled = True

    def close(self) -> None:
        with self._work:
            self._closed = True
            self._work.notify()
        self._thread.join()

    def _run(self) -> None:
        while self._wait():
            try:
                self._admit()
                self._drop_cancelled()
                if self._active:
                    self._pipeline.step()
                    self._deliver()
            except Exception as error:  # noqa: BLE001 - whatever it was, the pipeline cannot be used further
                self._fail(Overloaded(f"the engine failed: {error}", _AGAIN))
                self._begin_again()
        self._fail(Overloaded("the engine was closed", _AGAIN))

    def _begin_again(self) -> None:
        """Open another pipeline; where that fails too, nobody may wait for one."""
        try:
            self._memory.clear()
            self._pipeline = self._open()
        except Exception:  # noqa: BLE001 - those who ask get Overloaded
            with self._work:
                self._closed = True

    def _wait(self) -> bool:
        with self._work:
            self._work.wait_for(lambda: self._closed or self._new or self._active)
            return not self._closed

    def _admit(self) -> None:
        import openvino

        with self._work:
            new, self._new = self._new, []
        for request in new:
            ids = openvino.Tensor(np.array([request.ids], np.int64))
            try:
                request.handle = self._pipeline.add_request(next(self._numbers), ids, _config(request.sampling))
            except Exception as error:  # noqa: BLE001 - what the pipeline refuses costs this request alone
                request.answers.put(InputError(f"the engine refuses the request: {error}", "change its settings"))
            else:
                request.cached = self._memory.cached(request.ids) if self._settings.prefix_caching else 0
                self._active.append(request)
        self._memory.use(sum(request.blocks for request in self._active))

    def _drop_cancelled(self) -> None:
        for request in [each for each in self._active if each.cancelled]:
            request.handle.cancel()
            self._end(request)
            self._idle_step()

    def _end(self, request: _Request) -> None:
        """What it computed stays in the cache, in the place of what was there for longer."""
        self._active.remove(request)
        if request.answered:
            self._memory.add([*request.ids, *request.answered[:-1]])
        else:
            self._memory.lose(request.blocks)

    def _idle_step(self) -> None:
        """The pipeline frees what a cancelled request holds in its next step."""
        if not self._active and self._pipeline.has_non_finished_requests():
            self._pipeline.step()

    def _deliver(self) -> None:
        for request in list(self._active):
            if not request.handle.can_read():
                continue
            answer = _generated(request)
            if not request.answered:
                self._memory.add(request.ids)
            request.answered += answer.ids
            if answer.finish_reason:
                self._end(request)
            request.answers.put(answer)

    def _fail(self, error: Overloaded) -> None:
        with self._work:
            failed, self._new, self._active = [*self._active, *self._new], [], []
        for request in failed:
            request.answers.put(error)


def _blocks(settings: EngineSettings) -> int:
    return -(-settings.cache_tokens // _BLOCK_TOKENS) + 1


def _next(answers: queue.SimpleQueue[Generated | Exception]) -> Generated | Exception:
    try:
        return answers.get(timeout=_SILENCE_S)
    except queue.Empty:
        return Generated(ids=(), log_probabilities=())


def _opened(
    folder: Path, settings: EngineSettings, contents: Sequence[bytes]
) -> openvino_genai.ContinuousBatchingPipeline:
    import openvino_genai

    scheduler = openvino_genai.SchedulerConfig()
    scheduler.num_kv_blocks = _blocks(settings)
    scheduler.max_num_batched_tokens = settings.step_tokens
    scheduler.enable_prefix_caching = settings.prefix_caching
    scheduler.max_num_seqs = 256
    properties = exact(settings.threads, settings.precision, settings.kv_cache)
    if not contents:
        return openvino_genai.ContinuousBatchingPipeline(str(folder), scheduler, "CPU", properties)
    tokenizer = engine_tokenizer(contents)
    return openvino_genai.ContinuousBatchingPipeline(str(folder), tokenizer, scheduler, "CPU", **properties)


def _config(sampling: Sampling) -> openvino_genai.GenerationConfig:
    import openvino_genai

    config = openvino_genai.GenerationConfig()
    config.max_new_tokens, config.logprobs = sampling.max_tokens, 1
    config.apply_chat_template = False
    if sampling.stop_ids:
        config.stop_token_ids, config.eos_token_id = set(sampling.stop_ids), min(sampling.stop_ids)
    else:
        config.ignore_eos = True
    if sampling.temperature > 0:
        config.do_sample, config.temperature, config.rng_seed = True, sampling.temperature, sampling.seed
        config.top_p, config.min_p = sampling.top_p, sampling.min_p
        if sampling.top_k:
            config.top_k = sampling.top_k
    config.presence_penalty, config.frequency_penalty = sampling.presence_penalty, sampling.frequency_penalty
    config.repetition_penalty = sampling.repetition_penalty
    if sampling.grammar:
        config.structured_output_config = openvino_genai.StructuredOutputConfig(grammar=sampling.grammar)
    return config


def _generated(request: _Request) -> Generated:
    """What the last step added to an answer."""
    import openvino_genai

    ((_, output),) = request.handle.read().items()
    ids, probabilities = list(output.generated_ids), list(output.generated_log_probs)
    reason = {
        openvino_genai.GenerationFinishReason.NONE: "",
        openvino_genai.GenerationFinishReason.STOP: "stop",
        openvino_genai.GenerationFinishReason.LENGTH: "length",
    }[output.finish_reason]
    if reason == "stop" and ids and ids[-1] in request.sampling.stop_ids:
        ids, probabilities = ids[:-1], probabilities[:-1]
    return Generated(
        ids=tuple(ids), log_probabilities=tuple(probabilities), cached=request.cached, finish_reason=reason
    )
