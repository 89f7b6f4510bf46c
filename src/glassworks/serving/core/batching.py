"""The batcher: an idle engine starts at once; requests gather only while it is busy."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from glassworks.errors import DeadlineExceeded, ServingError
from glassworks.serving.core.queueing import Queue
from glassworks.serving.core.statistics import Statistics
from glassworks.serving.core.work import Work, joined
from glassworks.serving.supervision import Supervisor

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors

    Run = Callable[[Mapping[str, Array]], Mapping[str, Array]]

_PART = "batcher"
_clock = time.perf_counter_ns


class Batcher:
    """Joins requests of equal names, datatypes and row shapes into batches of at most `max_rows` rows.

    With an `executor` batches run on its thread, else on the event loop, which suits calls of some
    microseconds. At most `max_queue` rows wait, see `Queue`. A batch that fails is run again one request at a time, so
    that a poisonous request costs only itself. `settle` is called with what was computed before anybody gets an answer.
    Whatever raises on the way, the next batch begins, and every request's `done` is called.
    """

    def __init__(
        self,
        run: Run,
        max_rows: int,
        max_queue: int,
        executor: Executor | None = None,
        statistics: Statistics | None = None,
        settle: Callable[[Sequence[Work]], None] = lambda works: None,
        supervisor: Supervisor | None = None,
    ) -> None:
        self._run, self._max_rows, self._executor = run, max_rows, executor
        self._queue = Queue(max_rows, max_queue)
        self._statistics = statistics or Statistics()
        self._settle = settle
        self._supervisor = supervisor or Supervisor()
        self._turning = self._company = False

    @property
    def waiting_rows(self) -> int:
        """Rows that wait; of a request in parts, those of its next one."""
        return self._queue.rows

    @property
    def waiting_requests(self) -> int:
        """Requests that wait, counted when somebody asks."""
        return self._queue.requests

    def submit(self, work: Work) -> None:
        """Queue a request. Raises Overloaded, which leaves it untouched.

        One of more than `max_rows` rows is computed in parts, so that others need not wait for all of it.
        """
        self._queue.put(work)
        if not self._turning:
            self._turning = True
            self._soon()

    async def compute(self, tensors: Tensors) -> Tensors:
        """The outputs for the rows of one request. Raises what the engine raises, or Overloaded."""
        future: asyncio.Future[Tensors] = asyncio.get_running_loop().create_future()
        work = Work(tensors, lambda work: _answer(future, work))
        self.submit(work)
        try:
            return await future
        finally:
            work.dropped = True

    def _soon(self) -> None:
        """Begin a batch; where the last one had company, read once more what has arrived before."""
        loop = asyncio.get_running_loop()
        if self._company:
            loop.call_soon(loop.call_soon, self._turn)
        else:
            loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Run the next batch, if there is one."""
        batch: list[Work] = []
        try:
            batch, over = self._queue.take(_clock())
            for work in over:
                self._discard(work)
        except Exception as error:  # noqa: BLE001 - what was taken gets an answer, and the next turn comes
            self._fail(batch, error)
            return
        if not batch:
            self._turning = False
            return
        if self._executor is None:
            self._deliver(batch, self._compute(batch))
            return
        try:
            running = asyncio.get_running_loop().run_in_executor(self._executor, self._compute, batch)
        except RuntimeError as error:  # its thread was ended
            self._fail(batch, error)
        else:
            running.add_done_callback(lambda ran: self._computed(batch, ran))

    def _discard(self, work: Work) -> None:
        waited_us = (_clock() - work.queued_ns) // 1000
        work.error = DeadlineExceeded(
            f"the request waited {waited_us} us, longer than its timeout", "send it again, or give it more time"
        )
        asyncio.get_running_loop().call_soon(self._finish, work)

    def _compute(self, batch: list[Work]) -> list[tuple[int, int]]:
        """Give each request its outputs or the engine's error; rows and nanoseconds of each run of the engine."""
        start = _clock()
        try:
            outputs = self._run(joined([work.tensors for work in batch]))
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

    def _computed(self, batch: list[Work], ran: asyncio.Future[list[tuple[int, int]]]) -> None:
        error = None if ran.cancelled() else ran.exception()
        if error is None and not ran.cancelled():
            self._deliver(batch, ran.result())
        else:
            self._fail(batch, error)

    def _fail(self, batch: list[Work], error: BaseException | None) -> None:
        """Nothing computed it."""
        if error is not None:
            self._supervisor.failed(_PART, error)
        for work in batch:
            work.error = ServingError("the request could not be computed", "send it again; the server's log tells more")
        self._deliver(batch, [])

    def _deliver(self, batch: list[Work], runs: list[tuple[int, int]]) -> None:
        try:
            for rows, ns in runs:
                self._statistics.executed(rows, ns)
            self._settle(batch)
        except Exception as error:  # noqa: BLE001 - what cannot be counted was computed all the same
            self._supervisor.failed(_PART, error)
        for work in batch:
            try:
                work.done(work)
            except Exception as error:  # noqa: BLE001 - one that fails must not keep the others waiting
                self._supervisor.failed(_PART, error)
        # In the next turn of the event loop: requests that have arrived are read and join the next batch.
        self._company = len(batch) > 1
        if self._queue.rows:
            self._soon()
        else:
            self._turning = False

    def _finish(self, work: Work) -> None:
        try:
            work.done(work)
        except Exception as error:  # noqa: BLE001 - one that fails must not keep the others waiting
            self._supervisor.failed(_PART, error)


def _answer(future: asyncio.Future[Tensors], work: Work) -> None:
    if future.done():  # its waiter went away
        return
    if work.error is not None:
        future.set_exception(work.error)
    else:
        future.set_result(work.outputs)


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
