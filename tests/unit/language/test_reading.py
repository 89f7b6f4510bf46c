"""Prompts are computed in chunks of which none is one token long, but where each way to the answer ends so."""

from __future__ import annotations

import pytest

from glassworks.language.reading import BLOCK_TOKENS, chunk_end, ends_in_lone_token


def chunks(length: int, done: int, room: int) -> list[int]:
    """Sizes of the chunks of a prompt, the last one with its answer."""
    found = []
    while (end := chunk_end(length, done, room)) is not None:
        assert end > done
        found.append(end - done)
        done = end
    return [*found, length - done]


@pytest.mark.parametrize("room", [32, 96, 100])
def test_a_prompt_ends_alike_wherever_it_begins(room: int) -> None:
    """Cold, or with any number of blocks in the cache, of which the last token's is none."""
    for length in range(1, 400):
        begun = range(0, length, BLOCK_TOKENS)
        ways = [chunks(length, done, room) for done in begun]
        assert [sum(sizes) for sizes in ways] == [length - done for done in begun]
        assert all(size <= room for sizes in ways for size in sizes)
        assert all(size > 1 for sizes in ways for size in sizes[:-1])
        assert len({sizes[-1] <= 1 for sizes in ways}) == 1


def test_without_room_for_a_block_nothing_is_begun() -> None:
    assert chunk_end(200, 64, 31) == 64
    assert chunk_end(20, 0, 19) == 0
    assert chunk_end(20, 0, 20) is None


def test_a_prompt_whose_last_token_alone_is_not_in_the_cache_waits() -> None:
    prompt = list(range(40))
    assert ends_in_lone_token(prompt, prompt, [7])
    assert ends_in_lone_token([*prompt, 7], prompt, [7, 8])
    assert ends_in_lone_token([*prompt, 7], prompt, [7])
    assert not ends_in_lone_token(prompt, prompt, [])  # computed together with it
    assert not ends_in_lone_token(prompt, prompt, [7, 8])
    assert not ends_in_lone_token([*prompt, 7, 8], prompt, [7])
    assert not ends_in_lone_token([*prompt[:-1], 7], prompt, [7])
    assert not ends_in_lone_token(prompt[:BLOCK_TOKENS], prompt[:BLOCK_TOKENS], [7])
