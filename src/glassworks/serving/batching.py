"""The batcher: an idle engine starts at once; requests gather only while it is busy."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glassworks.errors import Overloaded, ServingError

if TYPE_CHECKING:
    from glassworks.contracts import Array

    Run = Callable[[Mapping[str, Array]], Mapping[str, Array]]

RETRY_AFTER_S = 1


@dataclass(slots=True)
class _Waiting:
    key: Hashable
    tensors: Mapping[str, Array]
    rows: int
    future: asyncio.Future[Mapping[str, Array]]


class Batcher:
    """Joins requests of equal names, datatypes and row shapes into batches of at most `max_rows` rows.

    With an `executor` batches run on its thread, else on the event loop, which suits calls of some
    microseconds. At most `max_queue` rows wait; beyond that `submit` raises Overloaded. A batch that fails is run
    again one request at a time, so that a poisonous request costs only itself.
    """

    def __init__(self, run: Run, max_rows: int, max_queue: int, executor: Executor | None = None) -> None:
        self._run, self._max_rows, self._max_queue, self._executor = run, max_rows, max_queue, executor
        self._waiting: deque[_Waiting] = deque()
        self._rows = 0
        self._turning = False
        self.batches = 0

    @property
    def busy(self) -> bool:
        """Whether a batch runs on the thread now; on the event loop none can be seen to run."""
        return self._executor is not None and self._turning

    async def submit(self, tensors: Mapping[str, Array]) -> Mapping[str, Array]:
        """The outputs for the rows of one request. Raises what the engine raises, or Overloaded.

        A request of more than `max_rows` rows is computed in parts, so that others need not wait for all of it.
        """
        rows = len(next(iter(tensors.values())))
        if self._rows + rows > self._max_queue and self._waiting:
            raise Overloaded(
                f"{self._rows} rows are waiting, at most {self._max_queue} may", f"try again in {RETRY_AFTER_S} s"
            )
        if rows <= self._max_rows:
            return await self._wait(tensors, rows)
        parts = [slice(begin, begin + self._max_rows) for begin in range(0, rows, self._max_rows)]
        pieces = [{name: values[part] for name, values in tensors.items()} for part in parts]
        return _joined(await asyncio.gather(*(self._wait(piece, len(next(iter(piece.values())))) for piece in pieces)))

    def _wait(self, tensors: Mapping[str, Array], rows: int) -> asyncio.Future[Mapping[str, Array]]:
        key = tuple([(name, values.dtype, values.shape[1:]) for name, values in tensors.items()])
        waiting = _Waiting(key, tensors, rows, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._rows += rows
        if not self._turning:
            self._turning = True
            asyncio.get_running_loop().call_soon(self._turn)
        return waiting.future

    def _turn(self) -> None:
        """Run the next batch, if there is one."""
        batch = self._next()
        if not batch:
            self._turning = False
        elif self._executor is None:
            self._deliver(batch, self._answers(batch))
        else:
            work = asyncio.get_running_loop().run_in_executor(self._executor, self._answers, batch)
            work.add_done_callback(lambda done: self._deliver(batch, done.result()))

    def _next(self) -> list[_Waiting]:
        """The first request that is still wanted, and those behind it that fit to it."""
        batch: list[_Waiting] = []
        later: deque[_Waiting] = deque()
        rows = 0
        while self._waiting:
            waiting = self._waiting.popleft()
            if waiting.future.done():  # its client went away
                self._rows -= waiting.rows
            elif not batch or (waiting.key == batch[0].key and rows + waiting.rows <= self._max_rows):
                batch.append(waiting)
                rows += waiting.rows
                if rows >= self._max_rows:
                    break
            else:
                later.append(waiting)
        self._waiting.extendleft(reversed(later))
        self._rows -= rows
        return batch

    def _answers(self, batch: list[_Waiting]) -> list[Mapping[str, Array] | Exception]:
        """Of each request what the engine gives or raises."""
        self.batches += 1
        try:
            outputs = self._run(_joined([waiting.tensors for waiting in batch]))
            return _split(outputs, [waiting.rows for waiting in batch])
        except Exception as error:  # noqa: BLE001 - engines raise many classes; each request gets its own
            return [error] if len(batch) == 1 else [self._answers([waiting])[0] for waiting in batch]

    def _deliver(self, batch: list[_Waiting], answers: list[Mapping[str, Array] | Exception]) -> None:
        for waiting, answer in zip(batch, answers, strict=True):
            if waiting.future.done():  # its client went away
                continue
            if isinstance(answer, Exception):
                waiting.future.set_exception(answer)
            else:
                waiting.future.set_result(answer)
        # In the next turn of the event loop: requests that have arrived are read and join the next batch.
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._turn)
        else:
            self._turning = False


def _joined(parts: Sequence[Mapping[str, Array]]) -> Mapping[str, Array]:
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _split(outputs: Mapping[str, Array], rows: list[int]) -> list[Mapping[str, Array] | Exception]:
    """The outputs of each request. Raises ServingError where the engine did not answer row by row."""
    for name, values in outputs.items():
        if values.shape[:1] != (sum(rows),):
            raise ServingError(
                f"the output '{name}' has the shape {list(values.shape)} for {sum(rows)} rows",
                "export the model with a variable first dimension in each output",
            )
    if len(rows) == 1:
        return [outputs]
    ends = list(itertools.accumulate(rows))
    return [
        {name: values[end - count : end] for name, values in outputs.items()}
        for end, count in zip(ends, rows, strict=True)
    ]
