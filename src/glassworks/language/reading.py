"""Prompts are computed in pieces whose bounds do not depend on what else is computed, so that answers do not either."""

from __future__ import annotations

BLOCK_TOKENS = 32
"""Tokens in a block of the cache, on a CPU. Only whole blocks are found again."""


def piece_end(length: int, done: int, room: int) -> int | None:
    """How many tokens of a prompt of `length` are to be computed next, counted from its beginning, where `done`, a
    multiple of a block, are computed and there is room for `room`; None where the answer can be asked for.

    The engine computes the attention of a lone token in another order than that of several, and rounds otherwise. A
    prompt of whole blocks, or of one token more, ends in a lone one where its beginning was computed before; so it
    always has to. No other piece is one token long.
    """
    settled = length // BLOCK_TOKENS * BLOCK_TOKENS
    if length <= done + room and (length % BLOCK_TOKENS > 1 or done >= settled):
        return None
    return min(done + room // BLOCK_TOKENS * BLOCK_TOKENS, settled)
