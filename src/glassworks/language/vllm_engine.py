"""Answers of a decoder for many prompts at once by vLLM, on GPUs. Only ids cross this boundary.

One thread opens vLLM's engine and makes all calls of it, as what it remembers of a GPU belongs to a thread.
"""

from __future__ import annotations

import gc
import queue
import threading
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.errors import InputError, Overloaded
from glassworks.language.engine import Engine, Scoring, TokenScore
from glassworks.language.sampling import Generated, Sampling
from glassworks.language.vllm_opening import TURN, opened, params, release
from glassworks.language.vllm_settings import VllmSettings

if TYPE_CHECKING:
    from vllm import RequestOutput, SamplingParams

_SILENCE_S = 0.05
"""After that a part without tokens comes."""
_AGAIN = "send the request again"


@dataclass(eq=False)
class _Request:
    ids: Sequence[int]
    params: SamplingParams
    answers: queue.SimpleQueue[RequestOutput | Exception] = field(default_factory=queue.SimpleQueue)
    cancelled: bool = False
    number: str = ""


class VllmEngine(Engine):
    """vLLM over a folder in Hugging Face's layout. Safe to share between threads."""

    def __init__(self, folder: Path, settings: VllmSettings, *, grammars: bool = False) -> None:
        """`grammars`: answers may be asked to keep to one, for which the folder needs a tokenizer. Raises what vLLM
        raises.
        """
        self._open = partial(opened, folder, settings, grammars=grammars)
        self._engine: Any = None
        self._new: list[_Request] = []
        self._active: dict[str, _Request] = {}
        self._numbers = iter(range(1, 2**62))
        self._closed = False
        self._work = threading.Condition()
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="vllm", daemon=True)
        self._thread.start()
        ready.result()

    @property
    def open_requests(self) -> int:
        return len(self._new) + len(self._active)

    def generate(self, ids: Sequence[int], sampling: Sampling) -> Generator[Generated, None, None]:
        return self.answer(ids, sampling)

    def answer(
        self, ids: Sequence[int], sampling: Sampling, bias: Mapping[int, float] | None = None, alternatives: int = 0
    ) -> Generator[Generated, None, None]:
        """With `bias` added to the logits of tokens; alternatives are those before it."""
        asked = _params(sampling, bias, alternatives)
        with closing(self._ask(ids, asked)) as outputs:
            for output in outputs:
                yield _generated(output, sampling, alternatives)

    def scores(self, ids: Sequence[int], alternatives: int) -> list[TokenScore]:
        """Each token but the first, given those before it."""
        asked = _params(Sampling(max_tokens=1), prompt=alternatives)
        with closing(self._ask(ids, asked)) as outputs:
            found = next(output.prompt_logprobs for output in outputs if output is not None and output.prompt_logprobs)
        return [_score(token, entry, alternatives) for token, entry in zip(ids[1:], found[1:], strict=True)]

    def close(self) -> None:
        with self._work:
            self._closed = True
            self._work.notify()
        self._thread.join()

    def _ask(self, ids: Sequence[int], asked: SamplingParams) -> Generator[RequestOutput | None, None, None]:
        """Outputs as they come, None while none does; closing the generator ends the request."""
        request = _Request(ids=ids, params=asked)
        with self._work:
            if self._closed:
                raise Overloaded("the engine was closed", _AGAIN)
            self._new.append(request)
            self._work.notify()
        try:
            while True:
                output = _next(request.answers)
                if isinstance(output, Exception):
                    raise output
                yield output
                if output is not None and output.finished:
                    return
        finally:
            request.cancelled = True

    def _run(self, ready: Future[None]) -> None:
        try:
            self._engine = self._open()
        except BaseException as error:  # noqa: BLE001 - it is raised where the engine was asked for
            ready.set_exception(error)
            return
        ready.set_result(None)
        while self._wait():
            try:
                with TURN:
                    self._step()
            except Exception as error:  # noqa: BLE001 - whatever it was, the engine cannot be used further
                self._fail(Overloaded(f"the engine failed: {error}", _AGAIN))
                self._begin_again()
        self._fail(Overloaded("the engine was closed", _AGAIN))
        self._release()

    def _step(self) -> None:
        self._admit()
        self._drop_cancelled()
        if self._engine.has_unfinished_requests():
            self._deliver(self._engine.step())

    def _wait(self) -> bool:
        with self._work:
            self._work.wait_for(lambda: self._closed or self._new or self._active)
            return not self._closed

    def _begin_again(self) -> None:
        """Open another engine; where that fails too, nobody may wait for one."""
        try:
            self._release()
            self._engine = self._open()
        except Exception:  # noqa: BLE001 - those who ask get Overloaded
            with self._work:
                self._closed = True

    def _release(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            release(engine)
        del engine
        gc.collect()

    def _admit(self) -> None:
        with self._work:
            new, self._new = self._new, []
            for request in new:
                request.number = str(next(self._numbers))
                self._active[request.number] = request
        for request in new:
            try:
                self._engine.add_request(request.number, {"prompt_token_ids": list(request.ids)}, request.params)
            except Exception as error:  # noqa: BLE001 - what vLLM refuses costs this request alone
                del self._active[request.number]
                request.answers.put(_refused(error))

    def _drop_cancelled(self) -> None:
        dropped = [number for number, request in self._active.items() if request.cancelled]
        if dropped:
            self._engine.abort_request(dropped)
        for number in dropped:
            del self._active[number]

    def _deliver(self, outputs: Sequence[RequestOutput]) -> None:
        for output in outputs:
            request = self._active.get(output.request_id)
            if request is None:
                continue
            if output.finished:
                del self._active[output.request_id]
            request.answers.put(output)

    def _fail(self, error: Overloaded) -> None:
        with self._work:
            failed = [*self._active.values(), *self._new]
            self._new, self._active = [], {}
        for request in failed:
            request.answers.put(error)


class VllmScorer(Scoring):
    """Log-probabilities as an engine that serves tells them, beside its answers."""

    def __init__(self, engine: VllmEngine) -> None:
        self._engine = engine

    def score(self, ids: Sequence[int], alternatives: int = 0) -> list[TokenScore]:
        return self._engine.scores(ids, alternatives) if len(ids) > 1 else []

    def generate(
        self,
        ids: Sequence[int],
        sampling: Sampling,
        bias: Mapping[int, float],
        alternatives: int = 0,
        begun: Any = None,
    ) -> Generator[Generated, None, None]:
        return self._engine.answer(ids, sampling, bias, alternatives)


def _params(*asked: Any, **more: Any) -> SamplingParams:
    """Raises InputError for what vLLM refuses."""
    try:
        return params(*asked, **more)
    except Exception as error:  # noqa: BLE001 - vLLM raises many classes
        raise _refused(error) from None


def _refused(error: Exception) -> InputError:
    return InputError(f"the engine refuses the request: {str(error)[:500]}", "change its settings")


def _next(answers: queue.SimpleQueue[RequestOutput | Exception]) -> RequestOutput | Exception | None:
    try:
        return answers.get(timeout=_SILENCE_S)
    except queue.Empty:
        return None


def _generated(output: RequestOutput | None, sampling: Sampling, alternatives: int) -> Generated:
    """What a step added to an answer."""
    if output is None:
        return Generated(ids=(), log_probabilities=())
    (part,) = output.outputs
    reason = part.finish_reason or ""
    if reason not in ("", "stop", "length"):
        raise InputError(f"the engine ended the answer: {part.stop_reason or reason}", "change the request")
    ids = list(part.token_ids)
    if reason == "stop" and ids and ids[-1] in sampling.stop_ids:
        ids.pop()
    entries = list(part.logprobs or ())[: len(ids)]
    return Generated(
        ids=tuple(ids),
        log_probabilities=tuple(entry[token].logprob for token, entry in zip(ids, entries, strict=True)),
        alternatives=tuple(_best(entry, alternatives) for entry in entries) if alternatives else (),
        cached=output.num_cached_tokens or 0,
        finish_reason=reason,
    )


def _score(token: int, entry: Mapping[int, Any], alternatives: int) -> TokenScore:
    return TokenScore(
        id=token,
        log_probability=entry[token].logprob,
        rank=entry[token].rank,
        alternatives=_best(entry, alternatives),
    )


def _best(entry: Mapping[int, Any], count: int) -> tuple[tuple[int, float], ...]:
    ordered = sorted(((token, each.logprob) for token, each in entry.items()), key=lambda pair: -pair[1])
    return tuple(ordered[:count])
