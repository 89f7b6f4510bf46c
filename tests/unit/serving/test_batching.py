"""The batcher: nobody waits for company, nobody gets another's answer, nobody is forgotten."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.patience import PATIENCE_S

from glassworks.errors import DeadlineExceeded, InputError, Overloaded, ServingError
from glassworks.serving.core.batching import Batcher
from glassworks.serving.core.work import Work
from glassworks.serving.core.worker import Worker

Tensors = Mapping[str, NDArray[Any]]


class Engine:
    """Doubles what it gets; notes the rows of each call; can be made to wait, and fails where a row is negative."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.go = threading.Event()
        self.go.set()
        self.began = threading.Event()

    def __call__(self, tensors: Tensors) -> Tensors:
        values = tensors["x"]
        self.calls.append(len(values))
        self.began.set()
        if not self.go.wait(PATIENCE_S):
            raise TimeoutError
        if (values < 0).any():
            raise InputError("a negative row", "send none")
        return {"y": 2 * values}


def rows(*values: float, width: int = 1, dtype: str = "f4") -> Tensors:
    """A request of one row a value."""
    return {"x": np.repeat(np.array(values, dtype)[:, None], width, axis=1)}


async def occupied(batcher: Batcher, engine: Engine) -> asyncio.Task[Tensors]:
    """Keeps the engine busy with a row of 100 until `engine.go` is set."""
    engine.go.clear()
    task = asyncio.ensure_future(batcher.compute(rows(100)))
    await asyncio.to_thread(engine.began.wait, 10)
    return task


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def threads() -> Any:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def test_a_lone_request_starts_at_once(engine: Engine) -> None:
    async def main() -> Tensors:
        return await Batcher(engine, 32, 100).compute(rows(1, 2))

    assert asyncio.run(main())["y"].ravel().tolist() == [2, 4]
    assert engine.calls == [2]


def test_requests_gather_while_the_engine_is_busy(engine: Engine, threads: ThreadPoolExecutor) -> None:
    async def main() -> list[Tensors]:
        batcher = Batcher(engine, 32, 100, threads)
        first = await occupied(batcher, engine)
        others = [asyncio.ensure_future(batcher.compute(rows(*[k] * (k + 1)))) for k in range(4)]
        await asyncio.sleep(0)
        engine.go.set()
        return await asyncio.gather(first, *others)

    _, *others = asyncio.run(main())
    assert engine.calls == [1, 1 + 2 + 3 + 4]
    for k, answer in enumerate(others):
        assert answer["y"].ravel().tolist() == [2 * k] * (k + 1)


def test_rows_are_counted_not_requests(engine: Engine, threads: ThreadPoolExecutor) -> None:
    async def main() -> None:
        batcher = Batcher(engine, 4, 100, threads)
        first = await occupied(batcher, engine)
        others = [asyncio.ensure_future(batcher.compute(rows(*range(count)))) for count in (3, 2, 1, 4)]
        await asyncio.sleep(0)
        engine.go.set()
        await asyncio.gather(first, *others)

    asyncio.run(main())
    assert engine.calls == [1, 3 + 1, 2, 4]


@pytest.mark.parametrize("other", [rows(1, width=2), rows(1, dtype="f8"), {"z": rows(1)["x"], **rows(1)}])
def test_only_equal_names_types_and_shapes_join(other: Tensors, engine: Engine, threads: ThreadPoolExecutor) -> None:
    async def main() -> None:
        batcher = Batcher(engine, 32, 100, threads)
        first = await occupied(batcher, engine)
        others = [asyncio.ensure_future(batcher.compute(each)) for each in (rows(1), other, rows(2))]
        await asyncio.sleep(0)
        engine.go.set()
        await asyncio.gather(first, *others)

    asyncio.run(main())
    assert engine.calls == [1, 2, 1]


@pytest.mark.parametrize("threaded", [False, True])
def test_thousands_of_mixed_requests_each_get_their_own_answer(threaded: bool, threads: ThreadPoolExecutor) -> None:
    engine, generator = Engine(), np.random.default_rng(0)

    async def client(batcher: Batcher, number: int) -> None:
        for count, width, kind in generator.integers([1, 1, 0], [5, 4, 2], (100, 3)).tolist():
            sent = rows(*np.arange(count) + 10 * number, width=width, dtype=("f4", "f8")[kind])
            answer = await batcher.compute(sent)
            assert answer["y"].dtype == sent["x"].dtype
            assert np.array_equal(answer["y"], 2 * sent["x"])
            if count == 1:
                await asyncio.sleep(0)

    async def main() -> None:
        batcher = Batcher(engine, 16, 10_000, threads if threaded else None)
        await asyncio.gather(*(client(batcher, number) for number in range(40)))

    asyncio.run(main())
    assert len(engine.calls) < 40 * 100
    assert max(engine.calls) <= 16


def test_a_poisonous_request_costs_only_itself(engine: Engine, threads: ThreadPoolExecutor) -> None:
    async def main() -> list[Tensors | BaseException]:
        batcher = Batcher(engine, 32, 100, threads)
        first = await occupied(batcher, engine)
        others = [asyncio.ensure_future(batcher.compute(rows(-1 if k == 7 else k))) for k in range(32)]
        await asyncio.sleep(0)
        engine.go.set()
        await first
        return await asyncio.gather(*others, return_exceptions=True)

    answers = asyncio.run(main())
    assert engine.calls[1] == 32
    for k, answer in enumerate(answers):
        if k == 7:
            assert isinstance(answer, InputError)
        else:
            assert not isinstance(answer, BaseException)
            assert answer["y"].item() == 2 * k


def test_cancelled_requests_are_not_computed(engine: Engine, threads: ThreadPoolExecutor) -> None:
    async def main() -> None:
        batcher = Batcher(engine, 32, 4, threads)
        first = await occupied(batcher, engine)
        others = [asyncio.ensure_future(batcher.compute(rows(k))) for k in range(4)]
        await asyncio.sleep(0)
        others[0].cancel()
        others[2].cancel()
        engine.go.set()
        await asyncio.gather(first, others[1], others[3])
        await asyncio.gather(*(batcher.compute(rows(k)) for k in range(4)))

    asyncio.run(main())
    assert engine.calls == [1, 2, 4]


def test_beyond_the_queue_requests_are_refused(engine: Engine, threads: ThreadPoolExecutor) -> None:
    async def main() -> None:
        batcher = Batcher(engine, 32, 3, threads)
        first = await occupied(batcher, engine)
        others = [asyncio.ensure_future(batcher.compute(rows(1))) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="3 rows are waiting, at most 3 may"):
            await batcher.compute(rows(1))
        engine.go.set()
        await asyncio.gather(first, *others)
        await batcher.compute(rows(1))

    asyncio.run(main())


@pytest.mark.parametrize("count", [33, 64, 101])
def test_an_oversize_request_is_answered_in_parts(count: int, engine: Engine) -> None:
    async def main() -> Tensors:
        return await Batcher(engine, 32, 4).compute(rows(*range(count)))

    assert asyncio.run(main())["y"].ravel().tolist() == [2 * k for k in range(count)]
    assert max(engine.calls) == 32
    assert sum(engine.calls) == count


def test_an_oversize_request_with_a_poisonous_row_fails(engine: Engine) -> None:
    async def main() -> None:
        batcher = Batcher(engine, 4, 100)
        with pytest.raises(InputError):
            await batcher.compute(rows(*range(9), -1))
        await batcher.compute(rows(1))

    asyncio.run(main())


def test_nothing_is_stranded_when_the_batcher_falls_idle() -> None:
    """Requests arrive at every possible turn around the end of a drain."""

    async def later(batcher: Batcher, turns: int) -> Tensors:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await batcher.compute(rows(turns))

    async def main() -> None:
        batcher = Batcher(Engine(), 2, 1000)
        for most in range(12):
            answers = await asyncio.wait_for(asyncio.gather(*(later(batcher, k) for k in range(most))), PATIENCE_S)
            assert [answer["y"].item() for answer in answers] == [2 * k for k in range(most)]

    asyncio.run(main())


@pytest.mark.parametrize("answer", [np.zeros(()), np.zeros((1, 2)), np.zeros((7, 2))])
def test_an_engine_that_does_not_answer_row_by_row_is_an_error(answer: NDArray[Any]) -> None:
    async def main() -> None:
        batcher = Batcher(lambda _: {"y": answer}, 32, 100)
        for _ in range(2):
            with pytest.raises(ServingError, match=r"has the shape .* for 2 rows"):
                await asyncio.wait_for(batcher.compute(rows(1, 2)), PATIENCE_S)

    asyncio.run(main())


def test_a_worker_is_bounded_and_drops_calls_that_nobody_waits_for() -> None:
    go, begun = threading.Event(), []

    def call(number: int) -> int:
        begun.append(number)
        if not go.wait(PATIENCE_S):
            raise TimeoutError
        return number

    async def main() -> tuple[int, int]:
        worker = Worker("explain", 3)
        tasks = [asyncio.ensure_future(worker.run(lambda k=k: call(k))) for k in range(3)]  # type: ignore[misc]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="3 requests wait for 'explain'"):
            await worker.run(lambda: call(9))
        tasks[1].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await tasks[1]
        go.set()
        done = await asyncio.gather(tasks[0], tasks[2])
        worker.close()
        return done

    assert list(asyncio.run(main())) == [0, 2]
    assert begun == [0, 2]


def test_the_calls_of_a_worker_take_turns_and_end_with_their_waiter() -> None:
    go, begun = threading.Event(), []

    def call(name: str) -> str:
        begun.append(name)
        if not go.wait(PATIENCE_S):
            raise TimeoutError
        return name

    async def main() -> tuple[list[str], list[str]]:
        worker = Worker("explain", 3)
        names = (["a1", "a2"], ["b1", "b2", "b3"], ["c1", "c2"])
        groups = [[functools.partial(call, name) for name in group] for group in names]
        first, second, third = (asyncio.ensure_future(worker.each(calls)) for calls in groups)
        await asyncio.sleep(0)
        second.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await second
        go.set()
        done = await asyncio.gather(first, third)
        worker.close()
        return done

    assert list(asyncio.run(main())) == [["a1", "a2"], ["c1", "c2"]]
    assert begun == ["a1", "c1", "a2", "c2"]


def test_higher_priorities_are_served_first(engine: Engine, threads: ThreadPoolExecutor) -> None:
    order: list[int] = []

    async def main() -> None:
        batcher = Batcher(engine, 1, 100, threads)
        first = await occupied(batcher, engine)
        for level in (5, 9, 1, 5):
            batcher.submit(Work(rows(level), lambda work: order.append(work.level), level=level))
        engine.go.set()
        await first
        while len(order) < 4:
            await asyncio.sleep(0.001)

    asyncio.run(main())
    assert order == [1, 5, 5, 9]


def test_a_request_whose_time_is_over_is_not_computed(engine: Engine, threads: ThreadPoolExecutor) -> None:
    received: list[Work] = []

    async def main() -> None:
        batcher = Batcher(engine, 32, 100, threads)
        first = await occupied(batcher, engine)
        batcher.submit(Work(rows(1), received.append, timeout_ns=1_000_000))
        batcher.submit(Work(rows(2), received.append, timeout_ns=10**9 * int(PATIENCE_S)))
        await asyncio.sleep(0.01)
        engine.go.set()
        await first
        while len(received) < 2:
            await asyncio.sleep(0.001)
        assert batcher.waiting_rows == 0

    asyncio.run(main())
    late, good = sorted(received, key=lambda work: work.error is None)
    assert isinstance(late.error, DeadlineExceeded)
    assert good.outputs["y"].item() == 4
    assert sum(engine.calls) == 2


def test_what_is_computed_is_settled_before_anybody_has_an_answer(engine: Engine, threads: ThreadPoolExecutor) -> None:
    events: list[str] = []

    async def main() -> None:
        batcher = Batcher(engine, 32, 100, threads, settle=lambda works: events.append(f"settled {len(works)}"))
        first = await occupied(batcher, engine)
        for _ in range(3):
            batcher.submit(Work(rows(1), lambda work: events.append("answered")))
        engine.go.set()
        await first
        while len(events) < 5:
            await asyncio.sleep(0.001)

    asyncio.run(main())
    assert events == ["settled 1", "settled 3", "answered", "answered", "answered"]


@pytest.mark.parametrize("requests", [100_000])
def test_a_hundred_thousand_requests_of_mixed_shapes_are_never_confused(requests: int) -> None:
    engine, generator = Engine(), np.random.default_rng(1)
    drawn = generator.integers([1, 1, 0, 1], [4, 4, 2, 10], (requests, 4)).tolist()
    wrong: list[int] = []
    left = requests

    def submit(batcher: Batcher, number: int) -> None:
        count, width, kind, level = drawn[number]
        sent = rows(*np.arange(count) + number, width=width, dtype=("f4", "f8")[kind])

        def done(work: Work) -> None:
            nonlocal left
            left -= 1
            if work.error is not None or not np.array_equal(work.outputs["y"], 2 * sent["x"]):
                wrong.append(number)

        batcher.submit(Work(sent, done, level=level))

    async def main() -> None:
        batcher = Batcher(engine, 16, 10**6)
        for number in range(requests):
            submit(batcher, number)
            if number % 37 == 0:
                await asyncio.sleep(0)
        while left:
            await asyncio.sleep(0)

    asyncio.run(main())
    assert wrong == []
    assert max(engine.calls) <= 16
    assert len(engine.calls) < requests
