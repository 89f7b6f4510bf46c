"""What a prefix cache holds at least: whole blocks, the newest ones, never more than fit."""

from __future__ import annotations

from glassworks.language.prefix_memory import PrefixMemory

FIRST, SECOND = list(range(12)), list(range(100, 112))


def test_whole_blocks_of_the_same_beginning_count() -> None:
    memory = PrefixMemory(blocks=8, block_tokens=4)
    assert memory.cached(FIRST) == 0
    memory.add(FIRST)
    assert memory.cached(FIRST) == 8  # the last token is always computed
    assert memory.cached([*FIRST, 1]) == 12
    assert memory.cached([*FIRST[:7], 99, *FIRST[8:]]) == 4
    assert memory.cached(FIRST[4:]) == 0
    memory.clear()
    assert memory.cached(FIRST) == 0


def test_what_was_longest_not_used_is_forgotten() -> None:
    memory = PrefixMemory(blocks=6, block_tokens=4)
    memory.add(FIRST)
    memory.add(SECOND)
    assert memory.cached([*FIRST, 1]) == 12
    memory.use(3)
    assert (memory.cached([*SECOND, 1]), memory.cached([*FIRST, 1])) == (0, 12)
    memory.lose(3)
    memory.use(2)
    assert memory.cached([*FIRST, 1]) == 0
