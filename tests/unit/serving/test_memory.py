"""Memory of a peak goes back to the system."""

from __future__ import annotations

import asyncio

import pytest

from glassworks.serving.core import memory
from glassworks.serving.core.memory import GivingBack, give_back, resident_bytes
from glassworks.serving.supervision import Supervisor

MIB = 2**20


def test_freed_memory_goes_back() -> None:
    """Pieces too small to be mapped each for itself, with one kept at the end of the heap."""
    before = resident_bytes()
    if before is None or not give_back():
        pytest.skip("this system does not tell what a process holds, or its C library cannot be asked")
    before = resident_bytes() or 0
    blocks = [bytearray(20_000) for _ in range(5_000)]
    last = bytearray(20_000)
    assert (resident_bytes() or 0) > before + 60 * MIB
    del blocks
    give_back()
    assert (resident_bytes() or 0) < before + 30 * MIB
    assert last


def asked(monkeypatch: pytest.MonkeyPatch, sizes: list[int]) -> list[int]:
    """The sizes, in MiB, at which it asked: each is reported once, the last one again and again."""
    given: list[int] = []
    monkeypatch.setattr(memory, "resident_bytes", lambda: (sizes.pop(0) if len(sizes) > 1 else sizes[0]) * MIB)
    monkeypatch.setattr(memory, "give_back", lambda: given.append(sizes[0]))

    async def main() -> None:
        giving = GivingBack(Supervisor(), every_s=0.0)
        await giving.start()
        while len(sizes) > 1:
            await asyncio.sleep(0)
        await giving.stop(0.0)

    asyncio.run(main())
    return given


def test_it_asks_only_where_the_process_has_grown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, [100, 101, 150, 104, 105, 106]) == [104]  # at 150, and not again for what is left


def test_what_was_in_use_at_the_peak_is_given_back_when_it_is_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, [100, 150, 150, 150, 104, 104, 104]) == [150, 104]


def test_what_stays_in_use_is_not_asked_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(asked(monkeypatch, [100] + [150] * 200)) == memory._AGAIN
