"""The batcher: an idle engine starts at once; requests gather only while it is busy."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import numpy as np

from glassworks.errors import DeadlineExceeded, Overloaded, ServingError
from glassworks.serving.statistics import Statistics

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors

    Run = Callable[[Mapping[str, Array]], Mapping[str, Array]]

RETRY_AFTER_S = 1
LEVELS = 9
"""Priorities from 1, the first to be served, to this one."""
DEFAULT_LEVEL = 5
_LOOKED_AT = 256
"""Requests that do not fit and are passed over for one batch; more would make long queues slow."""
_clock = time.perf_counter_ns


class Work:
    """The rows of one request on their way through a batcher.

    `done` is called on the event loop when `outputs` or `error` is set. Times are of `time.perf_counter_ns`.
    Set `dropped` when nobody waits any longer: what has not begun is then not computed. `usage` is who pays for it:
    key, model and version.
    """

    __slots__ = (
        "computed_ns", "deadline_ns", "done", "dropped", "error", "key", "level", "outputs", "queued_ns", "rows",
        "started_ns", "tensors", "usage",
    )  # fmt: skip

    def __init__(
        self, tensors: Tensors, done: Callable[[Work], None], timeout_ns: int = 0, level: int = DEFAULT_LEVEL
    ) -> None:
        self.tensors, self.done, self.level = tensors, done, level
        self.rows = len(next(iter(tensors.values())))
        self.key: Hashable = None
        self.queued_ns = _clock()
        self.deadline_ns = self.queued_ns + timeout_ns if timeout_ns else 0
        self.started_ns = self.computed_ns = 0
        self.outputs: Tensors = {}
        self.error: Exception | None = None
        self.dropped = False
        self.usage: tuple[str, str, str] | None = None


class Batcher:
    """Joins requests of equal names, datatypes and row shapes into batches of at most `max_rows` rows.

    With an `executor` batches run on its thread, else on the event loop, which suits calls of some
    microseconds. At most `max_queue` rows wait; beyond that `submit` raises Overloaded. A batch that fails is run
    again one request at a time, so that a poisonous request costs only itself. `settle` is told of what was
    computed before anybody gets an answer.
    """

    def __init__(
        self,
        run: Run,
        max_rows: int,
        max_queue: int,
        executor: Executor | None = None,
        statistics: Statistics | None = None,
        settle: Callable[[Sequence[Work]], None] = lambda works: None,
    ) -> None:
        self._run, self._max_rows, self._max_queue, self._executor = run, max_rows, max_queue, executor
        self._statistics = statistics or Statistics()
        self._settle = settle
        self._levels: dict[int, deque[Work]] = {DEFAULT_LEVEL: deque()}
        self._order = [DEFAULT_LEVEL]
        self.waiting_rows = 0
        self._turning = self._company = False

    def submit(self, work: Work) -> None:
        """Queue a request. Raises Overloaded, which leaves it untouched.

        One of more than `max_rows` rows is computed in parts, so that others need not wait for all of it.
        """
        if self.waiting_rows + work.rows > self._max_queue and self.waiting_rows:
            raise Overloaded(
                f"{self.waiting_rows} rows are waiting, at most {self._max_queue} may",
                f"try again in {RETRY_AFTER_S} s",
                RETRY_AFTER_S,
            )
        if work.rows <= self._max_rows:
            self._queue(work)
            return
        for part in _parts(work, self._max_rows):
            self._queue(part)

    async def compute(self, tensors: Tensors) -> Tensors:
        """The outputs for the rows of one request. Raises what the engine raises, or Overloaded."""
        future: asyncio.Future[Tensors] = asyncio.get_running_loop().create_future()
        work = Work(tensors, lambda work: _settle(future, work))
        self.submit(work)
        try:
            return await future
        finally:
            work.dropped = True

    def _queue(self, work: Work) -> None:
        work.key = tuple([(name, values.dtype, values.shape[1:]) for name, values in work.tensors.items()])
        queue = self._levels.get(work.level)
        if queue is None:
            queue = self._levels[work.level] = deque()
            self._order = sorted(self._levels)
        queue.append(work)
        self.waiting_rows += work.rows
        if not self._turning:
            self._turning = True
            self._soon()

    def _soon(self) -> None:
        """Begin a batch; where the last one had company, read once more what has arrived before."""
        loop = asyncio.get_running_loop()
        if self._company:
            loop.call_soon(loop.call_soon, self._turn)
        else:
            loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Run the next batch, if there is one."""
        batch = self._next()
        if not batch:
            self._turning = False
        elif self._executor is None:
            self._deliver(batch, self._compute(batch))
        else:
            running = asyncio.get_running_loop().run_in_executor(self._executor, self._compute, batch)
            running.add_done_callback(lambda ran: self._deliver(batch, ran.result()))

    def _next(self) -> list[Work]:
        """The first request that is still wanted, and those behind it that fit to it; higher priorities first."""
        batch: list[Work] = []
        now, rows = _clock(), 0
        for level in self._order:
            queue = self._levels[level]
            later: list[Work] = []
            while queue and rows < self._max_rows and len(later) < _LOOKED_AT:
                work = queue.popleft()
                if work.dropped or (work.deadline_ns and work.deadline_ns < now):
                    self._discard(work)
                elif not batch or (work.key == batch[0].key and rows + work.rows <= self._max_rows):
                    batch.append(work)
                    rows += work.rows
                else:
                    later.append(work)
            queue.extendleft(reversed(later))
        self.waiting_rows -= rows
        return batch

    def _discard(self, work: Work) -> None:
        self.waiting_rows -= work.rows
        waited_us = (_clock() - work.queued_ns) // 1000
        work.error = DeadlineExceeded(
            f"the request waited {waited_us} us, longer than its timeout", "send it again, or give it more time"
        )
        asyncio.get_running_loop().call_soon(work.done, work)

    def _compute(self, batch: list[Work]) -> list[tuple[int, int]]:
        """Give each request its outputs or the engine's error; rows and nanoseconds of each run of the engine."""
        start = _clock()
        try:
            outputs = self._run(_joined([work.tensors for work in batch]))
            split = _split(outputs, [work.rows for work in batch])
        except Exception as error:  # noqa: BLE001 - engines raise many classes; each request gets its own
            if len(batch) > 1:
                return [run for work in batch for run in self._compute([work])]
            batch[0].error, split = error, [{}]
        end = _clock()
        rows = 0
        for work, part in zip(batch, split, strict=True):
            work.outputs, work.started_ns, work.computed_ns = part, start, end
            rows += work.rows
        return [(rows, end - start)]

    def _deliver(self, batch: list[Work], runs: list[tuple[int, int]]) -> None:
        for rows, ns in runs:
            self._statistics.executed(rows, ns)
        self._settle(batch)
        for work in batch:
            work.done(work)
        # In the next turn of the event loop: requests that have arrived are read and join the next batch.
        self._company = len(batch) > 1
        if self.waiting_rows:
            self._soon()
        else:
            self._turning = False


def _settle(future: asyncio.Future[Tensors], work: Work) -> None:
    if future.done():  # its waiter went away
        return
    if work.error is not None:
        future.set_exception(work.error)
    else:
        future.set_result(work.outputs)


def _parts(work: Work, max_rows: int) -> list[Work]:
    """A request of many rows as several; the last one to be done answers for all."""

    def done(part: Work) -> None:
        work.error = work.error or part.error
        left.discard(part)
        if work.error is not None or work.dropped:
            for other in left:
                other.dropped = True
        if not left:
            work.started_ns, work.computed_ns = parts[0].started_ns, part.computed_ns
            if work.error is None:
                work.outputs = _joined([each.outputs for each in parts])
            work.done(work)

    parts = []
    for begin in range(0, work.rows, max_rows):
        rows = {name: values[begin : begin + max_rows] for name, values in work.tensors.items()}
        parts.append(Work(rows, done, level=work.level))
        parts[-1].deadline_ns = work.deadline_ns
    left = set(parts)
    return parts


def _joined(parts: Sequence[Tensors]) -> Tensors:
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _split(outputs: Tensors, rows: list[int]) -> list[Tensors]:
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
