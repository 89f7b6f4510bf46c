"""Answers of a decoder for many prompts at once, each token in one batch: openvino-genai's continuous batching.

Only ids cross this boundary. One thread makes all calls of the pipeline: it takes no others meanwhile, and its steps
hold the interpreter's lock, so that a server runs it in a process of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.errors import InputError, Overloaded
from glassworks.language.engine import Computing, Engine, LateEngine, Scoring
from glassworks.language.pipeline import PipelineSettings, blocks, config_of, generated, opened
from glassworks.language.prefix_memory import PrefixMemory
from glassworks.language.reading import BLOCK_TOKENS, chunk_end, ends_in_lone_token
from glassworks.language.request import NO_TOKENS, Request
from glassworks.language.sampling import Generated, Sampling

if TYPE_CHECKING:
    import openvino_genai

_STEP_S = 0.16
"""Nobody waits longer for an answer to be cancelled, or for the next token beside a long prompt, where it can be."""
_GIVING_WAY_S, _PAUSE_S, _HEARING_S, _SLOW_TOKENS = 0.004, 2e-5, 3e-4, 32
_AGAIN = "send the request again"
_FEWEST = 2
"""Tokens of an answer that are computed: after one alone, the prompt's last block would be found again as it is."""
_NOTHING = Sampling(max_tokens=1, logprobs=False)
"""Of a part of a prompt, whose answer nobody reads."""


@dataclass(frozen=True, kw_only=True)
class EngineSettings(PipelineSettings, Computing):
    """Settings with which this engine is opened; `late` when the first answer is asked for."""

    late: bool = False

    def engine(self, folder: Path, contents: Sequence[bytes]) -> Engine:
        make = partial(ContinuousBatching, folder, self, contents)
        return LateEngine(make) if self.late else make()

    def scorer(self, folder: Path, engine: Engine) -> Scoring:
        from glassworks.language.scoring import Scorer

        return Scorer(folder, self.threads, self.precision, self.kv_cache, engine)


class ContinuousBatching(Engine):
    """The pipeline over the folder of a graph (`openvino_model.xml`). Safe to share between threads."""

    def __init__(self, folder: Path, settings: EngineSettings, contents: Sequence[bytes] = ()) -> None:
        """`contents` are the bytes of all tokens: without them no answer can keep to a grammar."""
        self._settings = settings
        self._open = partial(opened, folder, settings, contents)
        self._pipeline = self._open()
        self._memory = PrefixMemory(blocks(settings), BLOCK_TOKENS)
        self._new: list[Request] = []
        self._reading: list[Request] = []
        self._active: list[Request] = []
        self._numbers = iter(range(1, 2**62))
        self._room, self._begun = settings.step_tokens, 0
        self._closed = False
        self._work = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="continuous batching", daemon=True)
        self._thread.start()

    @property
    def open_requests(self) -> int:
        return len(self._new) + len(self._reading) + len(self._active)

    def generate(self, ids: Sequence[int], sampling: Sampling) -> Generator[Generated, None, None]:
        request = Request(ids=ids, sampling=sampling)
        with self._work:
            if self._closed:
                raise Overloaded("the engine was closed", _AGAIN)
            self._new.append(request)
            self._work.notify()
        try:
            while True:
                answer = request.next_part()
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
                if self._reading or self._active:
                    self._step()
                    self._give_way([*self._deliver(), *self._go_on_reading()])
            except Exception as error:  # noqa: BLE001 - whatever it was, the pipeline cannot be used further
                self._fail(Overloaded(f"the engine failed: {error}", _AGAIN))
                self._begin_again()
        self._release()
        self._fail(Overloaded("the engine was closed", _AGAIN))
        del self._pipeline  # with the last answer its memory is free, whoever still holds this engine

    def _step(self) -> None:
        """The later in a long prompt, the longer takes a token of it: the next step then reads fewer."""
        begun = time.perf_counter()
        self._pipeline.step()
        took = time.perf_counter() - begun
        if not self._reading:
            self._room = self._settings.step_tokens
        elif self._begun >= BLOCK_TOKENS:
            self._room = max(BLOCK_TOKENS, min(int(_STEP_S / took * self._begun), self._settings.step_tokens))

    def _release(self) -> None:
        """What is under way gives its part of the cache back: the pipeline says of the rest that it leaked."""
        with suppress(Exception):  # whatever it was, the pipeline ends
            for request in self._reading:
                if request.prefix:
                    request.prefix.cancel()
            for request in self._active:
                request.handle.cancel()
            if self._pipeline.has_non_finished_requests():
                self._pipeline.step()

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
            self._work.wait_for(lambda: self._closed or self._new or self._reading or self._active)
            return not self._closed

    def _admit(self) -> None:
        """As much of the prompts as fits into a step, in the order in which they came."""
        with self._work:
            new, self._new = self._new, []
        for request in new:
            if self._settings.prefix_caching:
                request.cached = request.done = self._memory.cached(request.ids)
            self._reading.append(request)
        room = self._room
        for request in [each for each in self._reading if not each.prefix and not each.cancelled]:
            if room < 1:
                break
            if any(ends_in_lone_token(request.ids, each.ids, each.answered) for each in self._active):
                continue  # a step later, that block goes on with a token of the answer
            before = request.done
            if not self._read(request, room):
                break
            room -= max(request.done - before, 1)
        self._begun = self._room - room
        self._memory.use(sum(request.blocks for request in [*self._reading, *self._active]))

    def _read(self, request: Request, room: int) -> bool:
        """Go on with a prompt, the last time with its answer. Whether there was room for it."""
        length = len(request.ids)
        end = chunk_end(length, request.done, room) if self._settings.prefix_caching else None
        if end is not None and end <= request.done:
            return False
        try:
            if end is not None:
                request.prefix, request.done = self._sent(request.ids[:end], config_of(_NOTHING)), end
                return True
            self._reading.remove(request)
            tokens = max(request.sampling.max_tokens, _FEWEST)
            request.handle = self._sent(request.ids, config_of(replace(request.sampling, max_tokens=tokens)))
        except Exception as error:  # noqa: BLE001 - what the pipeline refuses costs this request alone
            if request in self._reading:
                self._reading.remove(request)
            request.answers.put(InputError(f"the engine refuses the request: {error}", "change its settings"))
        else:
            request.done = length
            self._active.append(request)
        return True

    def _sent(self, ids: Sequence[int], config: openvino_genai.GenerationConfig) -> Any:
        import openvino

        return self._pipeline.add_request(next(self._numbers), openvino.Tensor(np.array([ids], np.int64)), config)

    def _go_on_reading(self) -> list[Request]:
        """Those whose prompts are computed: each gets a part without tokens, and may be closed at it."""
        asked = []
        if self._reading:
            time.sleep(_HEARING_S)
        for request in self._reading:
            if request.prefix and request.prefix.can_read():
                request.prefix = None
                self._memory.add(request.ids[: request.done])
                if request.waiting:
                    request.waiting = False
                    request.answers.put(NO_TOKENS)
                    asked.append(request)
        return asked

    def _drop_cancelled(self) -> None:
        for request in [each for each in self._reading if each.cancelled]:
            self._reading.remove(request)
            if request.prefix:
                request.prefix.cancel()
                self._memory.lose(request.blocks)
                self._idle_step()
        for request in [each for each in self._active if each.cancelled and not each.ended]:
            request.handle.cancel()
            self._end(request)
            self._idle_step()

    def _end(self, request: Request) -> None:
        """What it computed stays in the cache, in the place of what was there for longer."""
        self._active.remove(request)
        if request.answered:
            self._memory.add([*request.ids, *request.answered[:-1]])
        else:
            self._memory.lose(request.blocks)

    def _idle_step(self) -> None:
        """The pipeline frees what a cancelled request holds in its next step."""
        if not self._reading and not self._active and self._pipeline.has_non_finished_requests():
            self._pipeline.step()

    def _deliver(self) -> list[Request]:
        """Those to whom something was given for which they had waited."""
        given = []
        for request in list(self._active):
            if not request.handle.can_read():
                continue
            answer = generated(request.handle, request.sampling, request.cached)
            if not request.answered:
                self._memory.add(request.ids)
            request.answered += answer.ids
            if answer.finish_reason:
                self._end(request)
            if not request.ended:
                request.ended = len(request.answered) >= request.sampling.max_tokens
                given += [request] * request.waiting
                request.waiting = False
                request.answers.put(replace(answer, finish_reason="length") if request.ended else answer)
        return given

    def _give_way(self, given: Sequence[Request]) -> None:
        """Let them take it: a step keeps the interpreter's lock, for which some would wait through many steps.

        Who does not come back at once is slow, and is not waited for for a while.
        """
        quick = [each for each in given if not each.pardoned()]
        end = time.monotonic() + _GIVING_WAY_S
        time.sleep(_PAUSE_S)
        while (left := [each for each in quick if not each.back]) and time.monotonic() < end:
            time.sleep(_PAUSE_S)
        for each in left:
            each.slow = _SLOW_TOKENS

    def _fail(self, error: Overloaded) -> None:
        with self._work:
            failed = [*self._active, *self._reading, *self._new]
            self._new, self._reading, self._active = [], [], []
        for request in failed:
            request.answers.put(error)
