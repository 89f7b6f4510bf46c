"""Memory that was used once is kept for the next request: giving it back and asking again costs more than a copy.

The C library returns large pieces to the system, depending on what happens to lie behind them: a server of pictures is
quick in one process and a third slower in the next one, which gets thousands of fresh pages for each request.
"""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Numbers of malloc.h (GNU libc)."""
_KEPT = 64 * 2**20
_LARGEST = 32 * 2**20
"""Pieces beyond it come from the system each time, and go back; the library allows no larger number."""


def keep_memory() -> bool:
    """Keep up to 64 MiB at the heap's end, and one heap for all threads; False where the library has no such thing."""
    if not sys.platform.startswith("linux"):
        return False
    option = getattr(ctypes.CDLL(None), "mallopt", None)
    if option is None:
        return False
    wishes = ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, _LARGEST), (_TRIM_THRESHOLD, _KEPT))
    kept = [option(name, value) == 1 for name, value in wishes]
    return all(kept)
