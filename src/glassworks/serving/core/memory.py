"""Memory that was used once is kept for the next request: giving it back and asking again costs more than a copy.

The C library returns large blocks to the system, depending on what happens to lie behind them: a server of pictures is
quick in one process and a third slower in the next one, which gets thousands of fresh pages for each request.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glassworks.serving.supervision import Supervisor

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Numbers of malloc.h (GNU libc)."""
_KEPT = 64 * 2**20
_GROWN = 8 * 2**20
"""Less than that is not worth giving back."""
_AGAIN = 24
"""Looks after a peak; connections may keep what came for longer than one of them."""
_LARGEST = 32 * 2**20
"""Blocks beyond it come from the system each time, and go back; the library allows no larger number."""


def keep_memory() -> bool:
    """Keep up to 64 MiB at the heap's end, and one heap for all threads; False where the library has no such thing."""
    if not sys.platform.startswith("linux"):
        return False
    option = getattr(ctypes.CDLL(None), "mallopt", None)
    if option is None:
        return False
    options = ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, _LARGEST), (_TRIM_THRESHOLD, _KEPT))
    kept = [option(name, value) == 1 for name, value in options]
    return all(kept)


def resident_bytes() -> int | None:
    """What this process holds of the machine's memory; None where the system does not say."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def give_back() -> bool:
    """Return what the C library keeps of freed memory to the system; False where it cannot be asked."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        return False
    trim(0)
    return True


class GivingBack:
    """Gives memory back after a peak: what one hour needed must not be held from the rest of the machine.

    Looks every few seconds, and asks the library only where the process has grown: under a steady load of large
    requests that costs some thousand fresh pages in that time, which is not to be measured.
    """

    def __init__(self, supervisor: Supervisor, every_s: float = 5.0) -> None:
        self._supervisor, self._every_s = supervisor, every_s
        self._task: asyncio.Task[None] | None = None
        self._least, self._again = 0, _AGAIN

    async def start(self) -> None:
        """Begin to look."""
        self._least = resident_bytes() or 0
        if self._least:
            self._task = self._supervisor.keep("memory", self._look)

    async def stop(self, grace_s: float) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            if (resident_bytes() or 0) > self._least + _GROWN:
                await asyncio.to_thread(give_back)
                self._given_back(resident_bytes() or 0)

    def _given_back(self, left: int) -> None:
        """What is left may be in use still, and be freed without growing: it is asked for again, but not for ever."""
        self._again -= 1
        if left <= self._least + _GROWN or self._again <= 0:
            self._least, self._again = left, _AGAIN
