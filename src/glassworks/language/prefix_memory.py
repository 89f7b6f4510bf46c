"""Which prompts an engine still holds the keys and values of, where it does not say so itself."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np


class PrefixMemory:
    """Mirrors a prefix cache of `blocks` blocks of `block_tokens` tokens: a lower bound of what it holds.

    Only whole blocks of what was computed to its end count. Those that were longest not used are forgotten as soon as
    they and the blocks in use might not fit together, though a real cache counts shared blocks once. Keys are hashes of
    all tokens up to a block's end. Not thread-safe.
    """

    def __init__(self, blocks: int, block_tokens: int) -> None:
        self._blocks, self._size = blocks, block_tokens
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def cached(self, ids: Sequence[int]) -> int:
        """How many tokens at the beginning are held; the last token of a prompt is always computed."""
        count = 0
        for key in self._keys(ids[: len(ids) - 1]):
            if key not in self._known:
                break
            self._known.move_to_end(key)
            count += self._size
        return count

    def add(self, ids: Sequence[int]) -> None:
        """A prompt was computed."""
        for key in self._keys(ids):
            self._known[key] = None
            self._known.move_to_end(key)

    def use(self, blocks: int) -> None:
        """As many blocks are in use by answers under way."""
        while len(self._known) > max(self._blocks - blocks, 0):
            self._known.popitem(last=False)

    def lose(self, blocks: int) -> None:
        """So many blocks hold what is not known."""
        for _ in range(blocks):
            self._known[secrets.token_bytes(16)] = None

    def clear(self) -> None:
        """The cache is empty."""
        self._known.clear()

    def _keys(self, ids: Sequence[int]) -> Iterator[bytes]:
        hashed = hashlib.blake2b(digest_size=16)
        for start in range(0, len(ids) - self._size + 1, self._size):
            hashed.update(np.asarray(ids[start : start + self._size], np.int64).tobytes())
            yield hashed.digest()
