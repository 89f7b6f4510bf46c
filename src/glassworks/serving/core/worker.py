"""A worker: one thread for long calls, and the bounded queue before it."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from glassworks.errors import Overloaded
from glassworks.serving.core.room import Room

_T = TypeVar("_T")
_BEHIND = 10
"""How much lower the priority of such a process is."""


class Worker:
    """Calls run one after the other; at most `limit` are here at a time. A call whose waiter left is not begun."""

    def __init__(self, name: str, limit: int, begin: Callable[[], None] = lambda: None) -> None:
        self._thread, self.name, self._room = ThreadPoolExecutor(1, name, initializer=begin), name, Room(limit)

    @property
    def limit(self) -> int:
        """How many calls may be here at a time."""
        return self._room.size

    @property
    def idle(self) -> bool:
        """Whether a call would begin at once."""
        return self._room.taken == 0

    async def run(self, call: Callable[[], _T], caller: str | None = None) -> _T:
        """What the call gives. Raises what it raises, or Overloaded."""
        return (await self.each([call], caller))[0]

    async def each(self, calls: Iterable[Callable[[], _T]], caller: str | None = None) -> list[_T]:
        """What the calls of one waiter give. Between two of them others have their turn, and a waiter can leave.

        The next call is asked for, on the event loop, when the one before is done. `caller` is whom the worker is fair
        to: see `Room`.
        """
        room = self._room
        if not room.fits(caller, 1):
            raise Overloaded(f"{room.taken} requests wait for '{self.name}', no more may", "try again later")
        room.enter(caller, 1)
        try:
            loop = asyncio.get_running_loop()
            return [await loop.run_in_executor(self._thread, call) for call in calls]
        finally:
            room.leave(caller, 1)

    def close(self) -> None:
        """End the thread; a call that runs is finished, those that wait are dropped."""
        self._thread.shutdown(cancel_futures=True)


def step_back() -> None:
    """On Linux, where threads have a policy of their own: others get the core before this one and its children."""
    if sys.platform == "linux":
        os.sched_setscheduler(threading.get_native_id(), os.SCHED_IDLE, os.sched_param(0))


def give_way() -> None:
    """Let this process, whose threads could use all cores for long, leave them to others first; call it before they
    begin. It still has a tenth of the time where others want all of it.

    As a batch (Linux) its threads, which wake up thousands of times a second, push nobody else from a core.
    """
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    if hasattr(os, "nice"):
        os.nice(_BEHIND)
