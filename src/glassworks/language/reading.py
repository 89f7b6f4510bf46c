"""Prompts are computed in chunks whose bounds do not depend on what else is computed, so that answers do not either."""

from __future__ import annotations

from collections.abc import Sequence

BLOCK_TOKENS = 32
"""Tokens in a block of the cache, on a CPU. Only whole blocks are found again."""


def chunk_end(length: int, done: int, room: int) -> int | None:
    """How many tokens of a prompt of `length` are to be computed next, counted from its beginning, where `done`, a
    multiple of a block, are computed and there is room for `room`; None where the answer can be asked for.

    The engine computes the attention of a lone token in another order than that of several, and rounds otherwise. A
    prompt of whole blocks, or of one token more, ends in a lone one where its beginning was computed before; so it
    always has to. No other chunk is one token long.
    """
    settled = length // BLOCK_TOKENS * BLOCK_TOKENS
    if length <= done + room and (length % BLOCK_TOKENS > 1 or done >= settled):
        return None
    return min(done + room // BLOCK_TOKENS * BLOCK_TOKENS, settled)


def ends_in_lone_token(ids: Sequence[int], other: Sequence[int], answered: Sequence[int]) -> bool:
    """Whether a prompt would find all but its last token in the cache, where another prompt with `answered` tokens has
    them: the engine finds the last, half-filled block of what is under way too.
    """
    count = len(other) + len(answered) - 1
    if not answered or not 0 <= len(ids) - count <= 1 or count % BLOCK_TOKENS == 0:
        return False
    return [*other, *answered[:-1]] == list(ids[:count])
