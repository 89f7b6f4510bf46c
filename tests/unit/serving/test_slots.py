"""Slots for answers: so many at a time, turns between callers, priorities, and how long one has to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given, strategies as st
from tests.patience import PATIENCE_S

from glassworks.errors import Overloaded
from glassworks.serving.core.slots import Slot, Slots


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, PATIENCE_S))


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 2)), max_size=20),
    st.lists(st.integers(0, 30), max_size=30),
)
def test_callers_take_turns_within_a_priority(asked: list[tuple[str, int]], leaving: list[int]) -> None:
    """Whoever leaves the line: no slot is lost or given twice, and nobody has two turns before another has one."""

    async def main() -> None:
        slots, order = Slots(1, 100), list[tuple[int, str]]()
        first = slots.enter("x")
        await first.wait()
        entered = [slots.enter(caller) for caller, _ in asked]

        async def wait(slot: Slot, caller: str, level: int) -> None:
            await slot.wait(level=level)
            order.append((level, caller))

        tasks = [asyncio.ensure_future(wait(slot, *each)) for slot, each in zip(entered, asked, strict=True)]
        await turns()
        gone = {number for number in leaving if number < len(tasks)}
        for number in gone:
            tasks[number].cancel()
        await turns()
        for number in gone:
            entered[number].leave()
        left = [each for number, each in enumerate(asked) if number not in gone]
        assert slots.waiting == len(left)
        first.leave()
        there = [number for number in range(len(tasks)) if number not in gone]
        while there:
            await turns()
            (having,) = (number for number in there if tasks[number].done())
            assert slots.open == 1
            there.remove(having)
            entered[having].leave()
        await turns()
        assert (slots.open, slots.waiting) == (0, 0)
        assert sorted(order) == sorted((level, caller) for caller, level in left)
        assert [level for level, _ in order] == sorted(level for level, _ in order)
        for level in (1, 2):
            callers = [caller for of, caller in order if of == level]
            rounds = [callers[: end + 1].count(caller) for end, caller in enumerate(callers)]
            assert rounds == sorted(rounds)

    run(main())


def test_the_line_is_bounded_and_says_when_to_come_again() -> None:
    now = [0.0]

    async def main() -> None:
        slots = Slots(2, 3, lambda: now[0])
        busy = [slots.enter("a") for _ in range(2)]
        for slot in busy:
            await slot.wait()
        assert slots.retry_after_s == 1
        now[0] = 20.0
        busy[0].leave()
        kept = [slots.enter("a") for _ in range(4)]
        with pytest.raises(Overloaded, match="no more may") as refused:
            slots.enter("a")
        # An answer takes 20 s, two are computed at a time, and four wait before who comes now.
        assert refused.value.retry_after_s == 50
        # Who has nothing here has a share all the same.
        slots.enter("b").leave()
        for slot in (*kept, busy[1]):
            slot.leave()
            slot.leave()
        assert (slots.open, slots.waiting) == (0, 0)

    run(main())


def test_who_leaves_as_it_gets_a_slot_gives_it_on() -> None:
    async def main() -> None:
        slots = Slots(1, 10)
        first, second, third = (slots.enter(None) for _ in range(3))
        await first.wait()
        waiting = [asyncio.ensure_future(slot.wait()) for slot in (second, third)]
        await turns()
        first.leave()
        waiting[0].cancel()
        await turns()
        second.leave()
        await waiting[1]
        assert slots.open == 1

    run(main())
