"""Prompts are computed in pieces of which none is one token long, but where each way to the answer ends so."""

from __future__ import annotations

import pytest

from glassworks.language.reading import BLOCK_TOKENS, piece_end


def pieces(length: int, done: int, room: int) -> list[int]:
    """Sizes of the pieces of a prompt, the last one with its answer."""
    found = []
    while (end := piece_end(length, done, room)) is not None:
        assert end > done
        found.append(end - done)
        done = end
    return [*found, length - done]


@pytest.mark.parametrize("room", [32, 96, 100])
def test_a_prompt_ends_alike_wherever_it_begins(room: int) -> None:
    for length in range(1, 400):
        _ends_alike(length, room)


def _ends_alike(length: int, room: int) -> None:
    """Cold, or with any number of blocks in the cache, of which the last token's is none."""
    ways = [pieces(length, done, room) for done in range(0, length, BLOCK_TOKENS)]
    assert all(sum(sizes) == length - done for sizes, done in zip(ways, range(0, length, BLOCK_TOKENS), strict=True))
    assert all(size <= room for sizes in ways for size in sizes)
    assert all(size > 1 for sizes in ways for size in sizes[:-1])
    lone = {sizes[-1] <= 1 for sizes in ways}
    assert len(lone) == 1


def test_without_room_for_a_block_nothing_is_begun() -> None:
    assert piece_end(200, 64, 31) == 64
    assert piece_end(20, 0, 19) == 0
    assert piece_end(20, 0, 20) is None
