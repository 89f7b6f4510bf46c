"""The queue: everybody has turns, nobody is shut out, what is over costs next to nothing, and nothing stops it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.patience import PATIENCE_S

from glassworks.errors import DeadlineExceeded, InputError, Overloaded, ServingError
from glassworks.serving.core.batching import Batcher
from glassworks.serving.core.queueing import Queue
from glassworks.serving.core.work import Work
from glassworks.serving.core.worker import Worker
from glassworks.serving.supervision import Supervisor

Tensors = Mapping[str, NDArray[Any]]


def ask(
    count: int = 1, caller: str | None = None, done: Callable[[Work], None] = lambda work: None, **more: Any
) -> Work:
    width = more.pop("width", 1)
    return Work({"x": np.zeros((count, width), "f4")}, done, caller=caller, **more)


def drained(queue: Queue) -> list[list[Work]]:
    """The batches that are taken one after the other."""
    batches = []
    while batch := queue.take(0)[0]:
        batches.append(batch)
    assert queue.rows == 0
    return batches


def test_a_large_request_has_one_part_in_line_and_counts_as_one_batch() -> None:
    queue = Queue(4, 20)
    large = ask(400)
    queue.put(large)
    others = [ask(2) for _ in range(8)]
    for other in others:
        queue.put(other)
    assert queue.rows == 4 + 16
    with pytest.raises(Overloaded, match="20 rows are waiting, at most 20 may"):
        queue.put(ask())
    first, *batches = drained(queue)
    # Its second part comes behind those that had waited before.
    assert [work.rows for work in first] == [4]
    assert batches[:4] == [others[0:2], others[2:4], others[4:6], others[6:8]]
    assert [[work.rows for work in batch] for batch in batches[4:]] == [[4]] * 99


def test_callers_have_turns_of_a_batch_and_each_request_of_one_has_turns_too() -> None:
    queue = Queue(4, 1000)
    for work in [ask(12, "a"), *(ask(1, "a") for _ in range(6)), *(ask(1, "b") for _ in range(6))]:
        queue.put(work)
    order = [" ".join(f"{work.caller}{work.rows}" for work in batch) for batch in drained(queue)]
    assert order == ["a4", "b1 b1 b1 b1", "a1 a1 a1 a1", "b1 b1 a1 a1", "a4", "a4"]


def test_one_caller_that_fills_the_queue_does_not_shut_out_another() -> None:
    queue = Queue(4, 20)
    for _ in range(20):
        queue.put(ask(1, "a"))
    with pytest.raises(Overloaded):
        queue.put(ask(1, "a"))
    for _ in range(10):
        queue.put(ask(1, "b"))
    with pytest.raises(Overloaded):
        queue.put(ask(1, "b"))
    with pytest.raises(Overloaded):
        queue.put(ask(1))
    assert queue.rows == 30
    callers = [[work.caller for work in batch] for batch in drained(queue)]
    assert callers[:4] == [["a"] * 4, ["b"] * 4] * 2
    queue.put(ask(20, "c"))  # whoever left has no share any longer


def test_rows_of_many_bytes_count_as_many() -> None:
    queue = Queue(4, 8)
    queue.put(ask(1, width=2**18))  # a MiB
    with pytest.raises(Overloaded, match="4 rows are waiting, at most 8 may"):
        queue.put(ask(1, width=2**19))
    assert queue.rows == 1
    drained(queue)
    queue.put(ask(1, width=2**22))  # one that is too large for all of it has its turn


@pytest.mark.parametrize("count", [1_000, 4_000])
def test_what_is_over_is_looked_at_once(count: int) -> None:
    """Requests of many shapes, all of them over."""
    looked = 0

    class Counted(Work):
        def over(self, now_ns: int) -> bool:
            nonlocal looked
            looked += 1
            return super().over(now_ns)

    batcher = Batcher(lambda tensors: {"y": tensors["x"]}, 4, 10**6)

    async def main() -> None:
        ended: list[Work] = []
        works = [Counted({"x": np.zeros((1, 1 + k % 50), "f4")}, ended.append) for k in range(count)]
        for work in works:
            work.dropped = True
            batcher.submit(work)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(ended) == count

    asyncio.run(main())
    assert looked == count


def test_a_large_request_that_is_over_ends_at_once_whatever_is_left_of_it() -> None:
    parts: list[Work] = []
    ended: list[Work] = []

    async def main() -> None:
        def run(tensors: Tensors) -> Tensors:
            works[0].dropped = True
            return {"y": tensors["x"]}

        batcher = Batcher(run, 4, 100)
        works = [ask(10**6, done=ended.append), ask(2, done=ended.append)]
        for work in works:
            batcher.submit(work)
        take = batcher._queue.take
        batcher._queue.take = lambda now_ns: _noted(parts, take(now_ns))  # type: ignore[method-assign]
        while len(ended) < 2:
            await asyncio.sleep(0)
        assert batcher.waiting_rows == 0

    asyncio.run(main())
    assert len(parts) == 3
    assert {len(work.outputs) for work in ended} == {0, 1}


def _noted(parts: list[Work], taken: tuple[list[Work], list[Work]]) -> tuple[list[Work], list[Work]]:
    for works in taken:
        parts += works
    return taken


def test_the_time_of_a_large_request_is_that_of_all_its_parts() -> None:
    ended: list[Work] = []

    async def main() -> None:
        batcher = Batcher(lambda tensors: {"y": tensors["x"]}, 4, 10)
        batcher.submit(ask(40, done=ended.append, timeout_ns=1))
        while not ended:
            await asyncio.sleep(0)

    asyncio.run(main())
    assert isinstance(ended[0].error, DeadlineExceeded)


def test_one_caller_that_fills_a_queue_does_not_shut_out_another() -> None:
    go = threading.Event()

    async def main() -> tuple[list[str], list[str]]:
        worker, waiting, refused = Worker("explain", 4), list[asyncio.Task[str]](), list[str]()
        for caller in ("a", "a", "a", "a", "a", "b", "b", "b", "c"):
            waiting.append(asyncio.ensure_future(worker.run(lambda caller=caller: _named(caller, go), caller)))  # type: ignore[misc]
            await asyncio.sleep(0)
            if waiting[-1].done():
                refused.append(caller)
                assert isinstance(waiting.pop().exception(), Overloaded)
        go.set()
        answered = await asyncio.gather(*waiting)
        assert worker.idle
        worker.close()
        return answered, refused

    answered, refused = asyncio.run(main())
    assert answered == ["a"] * 4 + ["b"] * 2 + ["c"]
    assert refused == ["a", "b"]


def _named(caller: str, go: threading.Event) -> str:
    if not go.wait(PATIENCE_S):
        raise TimeoutError
    return caller


@pytest.mark.parametrize("threaded", [False, True])
@pytest.mark.parametrize("where", ["settle", "statistics", "done"])
def test_whatever_raises_the_next_batch_begins_and_everybody_has_an_answer(where: str, threaded: bool) -> None:
    supervisor, received = Supervisor(), list[int]()

    def fails(*_: object) -> None:
        raise OSError("no space left on device")

    async def main() -> None:
        with ThreadPoolExecutor(1) as threads:
            batcher = Batcher(
                lambda tensors: {"y": tensors["x"]}, 4, 100, threads if threaded else None, supervisor=supervisor
            )
            if where == "settle":
                batcher._settle = fails
            elif where == "statistics":
                batcher._statistics.executed = fails  # type: ignore[method-assign, assignment]
            for turn in range(3):
                for index in range(6):
                    if where == "done" and index == 0:
                        batcher.submit(ask(done=fails))
                    else:
                        batcher.submit(ask(done=lambda work, turn=turn: received.append(turn)))  # type: ignore[misc]
                await _until(lambda turn=turn: received.count(turn) >= 5)  # type: ignore[misc]

    asyncio.run(main())
    assert supervisor.troubles["batcher"].failures >= 3


def test_an_engine_whose_thread_has_ended_is_an_error_for_each() -> None:
    ended: list[Work] = []

    async def main() -> None:
        threads = ThreadPoolExecutor(1)
        threads.shutdown()
        batcher = Batcher(lambda tensors: {"y": tensors["x"]}, 4, 100, threads)
        for _ in range(6):
            batcher.submit(ask(done=ended.append))
        await _until(lambda: len(ended) == 6)
        assert not batcher._turning

    asyncio.run(main())
    assert all(isinstance(work.error, ServingError) for work in ended)


def test_what_ends_the_thread_of_an_engine_ends_no_waiting() -> None:
    async def main() -> Sequence[object]:
        def run(tensors: Tensors) -> Tensors:
            raise SystemExit

        with ThreadPoolExecutor(1) as threads:
            batcher = Batcher(run, 4, 100, threads)
            waiting = [batcher.compute({"x": np.zeros((1, 1), "f4")}) for _ in range(3)]
            return await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), PATIENCE_S)

    assert all(isinstance(each, ServingError) for each in asyncio.run(main()))


async def _until(so: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if so():
            return
        await asyncio.sleep(0.001)
    raise TimeoutError


@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_and_leaves_everybody_has_one_answer_and_the_room_is_empty_again(seed: int) -> None:
    random, received = np.random.default_rng(seed), list[Work]()

    def run(tensors: Tensors) -> Tensors:
        if (tensors["x"] < 0).any():
            raise InputError("a negative row", "send none")
        return {"y": 2 * tensors["x"]}

    def drawn() -> Work:
        count, width = int(random.choice([1, 2, 3, 9, 40])), int(random.integers(1, 3))
        values = np.full((count, width), float(random.integers(100)), "f4")
        if random.random() < 0.1:
            values[random.integers(count)] = -1
        work = Work(
            {"x": values},
            received.append,
            timeout_ns=int(random.choice([0, 0, 1])),
            level=int(random.choice([1, 5])),
            caller=[None, "a", "b", "c"][random.integers(4)],
        )
        work.dropped = bool(random.random() < 0.1)
        return work

    async def main() -> int:
        batcher, sent = Batcher(run, 4, 200), list[Work]()
        for turn in range(600):
            work = drawn()
            try:
                batcher.submit(work)
                sent.append(work)
            except Overloaded:
                continue
            if sent and random.random() < 0.2:
                sent[random.integers(len(sent))].dropped = True
            if turn % 5 == 0:
                await asyncio.sleep(0)
        await _until(lambda: len(received) >= len(sent))
        await asyncio.sleep(0)
        queue = batcher._queue
        assert (queue.rows, queue._room.taken, queue._room._taken_by) == (0, 0, {})
        assert all(not line.order and not line.flows and not line.kinds for line in queue._by_level)
        return len(sent)

    assert asyncio.run(main()) == len(received) == len(set(map(id, received)))
    for work in received:
        assert work.error is not None or np.array_equal(work.outputs["y"], 2 * work.tensors["x"])
