"""The events of runs as they come: one look at the database for everybody who waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from glassworks.control.watching import Watched
from glassworks.registry.connected import Stamp
from glassworks.runs import Event, Runs

_LOOK_S = 0.25


class Feed:
    """Use it on one event loop. It looks only while somebody waits."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._watched = Watched(self._look, _LOOK_S)
        self._newest = 0
        self._stamp: Stamp | None = None
        self._settled = False

    async def follow(self, after: int | None, run: str = "") -> AsyncIterator[Sequence[Event]]:
        """Events behind the one of that number (None: those to come), of a run or of all, without the lines of logs of
        the latter. Nothing comes for some seconds: an empty list, so that who is gone is noticed.
        """
        number = await asyncio.to_thread(self._runs.newest) if after is None else after
        async with contextlib.aclosing(self._watched.follow()) as changes:
            async for newest in changes:
                if newest is None:
                    yield ()
                    continue
                while events := await asyncio.to_thread(self._runs.events, run, number):
                    number = events[-1].number
                    yield events

    def _look(self) -> int:
        """The number of the newest event; the database is read only where its files have changed.

        Two changes within one tick of the file system's clock leave the same stamp: what has just changed is read once
        more.
        """
        before, self._stamp = self._stamp, self._runs.connected.stamp()
        same = self._stamp is not None and self._stamp == before
        if not (same and self._settled):
            self._newest = self._runs.newest()
        self._settled = same
        return self._newest
