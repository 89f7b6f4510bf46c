"""The events of runs as they come: one look at the database for everybody who waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence

from glassworks.errors import GlassworksError
from glassworks.registry.connected import Stamp
from glassworks.runs import Event, Runs

_LOOK_S = 0.25
_BEAT_S = 4.0


class Feed:
    """Use it on one event loop. It looks only while somebody waits."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._waiting = 0
        self._newest = -1
        self._changed = asyncio.Condition()
        self._looking: asyncio.Task[None] | None = None

    async def follow(self, after: int | None, run: str = "") -> AsyncIterator[Sequence[Event]]:
        """Events behind the one of that number (None: those to come), of a run or of all, without the lines of logs of
        the latter. Nothing comes for some seconds: an empty list, so that who is gone is noticed.
        """
        number = await asyncio.to_thread(self._runs.newest) if after is None else after
        read = None
        with self._followed():
            while True:
                seen = self._newest
                if seen != read:
                    events = await asyncio.to_thread(self._runs.events, run, number)
                    if events:
                        number = events[-1].number
                        yield events
                        continue
                    read = seen
                yield await self._next(seen)

    async def _next(self, seen: int) -> Sequence[Event]:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_BEAT_S), self._changed:
                await self._changed.wait_for(lambda: self._newest != seen)
        return ()

    @contextlib.contextmanager
    def _followed(self) -> Iterator[None]:
        self._waiting += 1
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look())
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def _look(self) -> None:
        stamp: Stamp | None = None
        settled = False
        while True:
            # Two changes within one tick of the file system's clock leave the same stamp: what has just changed is
            # read once more.
            before, stamp = stamp, self._runs.connected.stamp()
            if stamp is not None and stamp == before and settled:
                await asyncio.sleep(_LOOK_S)
                continue
            settled = stamp == before
            with contextlib.suppress(GlassworksError):  # a database that is away is looked at again
                newest = await asyncio.to_thread(self._runs.newest)
                if newest != self._newest:
                    async with self._changed:
                        self._newest = newest
                        self._changed.notify_all()
            await asyncio.sleep(_LOOK_S)
