"""Answers of models that stream: in parts as they come, or whole, joined from the same parts."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncGenerator, Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from glassworks.errors import DeadlineExceeded, InputError
from glassworks.serving.core.joining import added_up, joined, rows_of
from glassworks.serving.core.streamed import Streamed
from glassworks.serving.results import InferResult

if TYPE_CHECKING:
    from glassworks.contracts import Chunk, Tensors
    from glassworks.serving.core.admission import Admission
    from glassworks.serving.core.model import LoadedModel
    from glassworks.serving.requests import Call, InferRequest

    Ended = Callable[[Call, LoadedModel, BaseException | None], None]

UNREAD_S = 30.0


class Answering:
    """Answers admitted calls, whose inputs are checked. Who does not read a part for `unread_s` loses the rest.

    `ended` is told how each answer in parts ended.
    """

    def __init__(self, admission: Admission, unread_s: float, ended: Ended) -> None:
        self._admission, self._unread_s, self._ended = admission, unread_s, ended

    async def parts(
        self, call: Call, model: LoadedModel, request: InferRequest, tensors: Tensors, caller: str | None
    ) -> Parts:
        """The answer in parts. Whatever forbids it is raised here, when the first part is there and it has a slot.

        Of several streams of a call only the first one waits for its slot here: nobody reads any before all are open.
        """
        leads, call.streaming = not call.streaming, True
        count = len(next(iter(tensors.values())))
        if model.writes and count != 1:
            raise InputError(f"{count} rows were sent", "send one row a stream, or ask for whole answers")
        streamed = Streamed(call, model, self._admission, tensors, request.parameters, caller)
        try:
            first = await streamed.open()
            if first is not None and not first.finish_reason:
                streamed.streams = self._admission.streams(call, 1)
                streamed.reserve()
                if leads:
                    await streamed.start()
        except BaseException as error:
            streamed.end(error)
            raise

        def ended(error: BaseException | None) -> None:
            streamed.end(error)
            if error is None and streamed.leads:
                streamed.answered(call.rows)
            self._ended(call, model, error)

        return Parts(streamed, lambda chunk: InferResult.part(model, request, chunk), ended, self._unread_s)

    async def whole(
        self, call: Call, model: LoadedModel, request: InferRequest, tensors: Tensors, caller: str | None
    ) -> InferResult:
        """The answers to all rows, each in its own time; the result's chunk has their counts together."""
        texts = _rows(tensors)
        if len(texts) > model.batching.max_queue:
            raise InputError(f"{len(texts)} rows were sent", f"send at most {model.batching.max_queue} at once")
        answers: list[Streamed] = []
        try:
            for text in texts:
                answers.append(Streamed(call, model, self._admission, text, request.parameters, caller))
                await answers[-1].open()
            chunks = await self._all(call, model, answers)
        except BaseException as error:
            for answer in answers:
                answer.end(error)
            raise
        answers[0].answered(len(texts))
        found = [joined(each) for each in chunks]
        names = request.outputs or dict.fromkeys([*model.outputs, *(name for each in found for name in each)])
        last = added_up([each[-1] for each in chunks])
        return InferResult(model.name, model.version, dict(rows_of(found, names)), last)

    async def _all(self, call: Call, model: LoadedModel, answers: Sequence[Streamed]) -> list[list[Chunk]]:
        """Their chunks, once the budgets allow all of them; as many at a time as the key may have."""
        with contextlib.closing(self._admission.streams(call, min(len(answers), model.slots.count))) as streams:
            for answer in answers:
                answer.reserve()
            turns = asyncio.Semaphore(streams.count)
            tasks = [asyncio.ensure_future(_read(answer, turns)) for answer in answers]
            try:
                return await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()


async def _read(answer: Streamed, turns: asyncio.Semaphore) -> list[Chunk]:
    """All chunks of an answer, at its turn."""
    async with turns:
        chunk = answer.first
        chunks: list[Chunk] = []
        if chunk is not None and not chunk.finish_reason:
            await answer.start()
        while chunk is not None:
            chunks.append(chunk)
            chunk = None if chunk.finish_reason else await answer.next()
        answer.end()
        return chunks


class Parts(AsyncGenerator[InferResult, None]):
    """A streamed answer, whose first part is there; `ended` is called once, with None where it is whole.

    Close it to cancel what is left. Nobody needs to read the last part for its slot to be free.
    """

    def __init__(
        self,
        streamed: Streamed,
        result: Callable[[Chunk], InferResult],
        ended: Callable[[BaseException | None], None],
        unread_s: float,
    ) -> None:
        self._streamed, self._result, self._ended, self._unread_s = streamed, result, ended, unread_s
        self._next, self._over = streamed.first, False
        self._problem: DeadlineExceeded | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wait_for_reader()
        if self._next is None or self._next.finish_reason:
            self._end(None)

    async def asend(self, value: None) -> InferResult:
        """The next part. Raises what the engine raises, and StopAsyncIteration at the end."""
        chunk, self._next = self._next, None
        if chunk is None:
            chunk = await self._computed()
        if chunk is None:
            raise self._problem or StopAsyncIteration
        return self._result(chunk)

    async def athrow(
        self,
        kind: type[BaseException] | BaseException,
        value: BaseException | object = None,
        trace: TracebackType | None = None,
        /,
    ) -> InferResult:
        """Cancel what is left of it."""
        self._end(GeneratorExit())
        raise kind

    async def aclose(self) -> None:
        """Cancel what is left of it."""
        self._end(GeneratorExit())

    def __del__(self) -> None:
        # Who left before anything was sent has not even begun to read, and so closes nothing.
        with contextlib.suppress(Exception):
            self._end(GeneratorExit())

    async def _computed(self) -> Chunk | None:
        if self._over:
            return None
        self._stop_waiting()
        try:
            chunk = await self._streamed.next()
        except BaseException as error:
            self._end(error)
            raise
        if chunk is None or chunk.finish_reason:
            self._end(None)
        else:
            self._wait_for_reader()
        return chunk

    def _wait_for_reader(self) -> None:
        # Weakly: an answer that everybody forgot frees its slot at once.
        late = weakref.WeakMethod(self._late)
        self._timer = asyncio.get_running_loop().call_later(self._unread_s, lambda: (late() or _nothing)())

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _late(self) -> None:
        if not self._over:
            problem = f"the answer was not read for {self._unread_s:g} s, and so it was not computed further"
            self._problem = DeadlineExceeded(problem, "read it as it comes, or ask for fewer tokens")
            self._end(self._problem)

    def _end(self, error: BaseException | None) -> None:
        if not self._over:
            self._over = True
            self._stop_waiting()
            self._ended(error)


def _nothing() -> None:
    """There is nobody to be told."""


def _rows(tensors: Tensors) -> list[Tensors]:
    count = len(next(iter(tensors.values())))
    return [{name: values[row : row + 1] for name, values in tensors.items()} for row in range(count)]
