"""Something that changes, looked at once for everybody who follows it, and only while somebody does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Generic, TypeVar

from glassworks.errors import GlassworksError

_T = TypeVar("_T")
_BEAT_S = 4.0


class Watched(Generic[_T]):
    """What `look` gives, on a thread, every so many seconds. Use it on one event loop."""

    def __init__(self, look: Callable[[], _T], every_s: float) -> None:
        self._look, self._every_s = look, every_s
        self._followers = self._turn = 0
        self._seen: _T | None = None
        self._changed = asyncio.Condition()
        self._looking: asyncio.Task[None] | None = None

    async def follow(self) -> AsyncGenerator[_T | None, None]:
        """Each value that differs from the one before; None where none came for some seconds, so that who is gone is
        noticed."""
        with self._followed():
            turn = 0
            while True:
                try:
                    async with asyncio.timeout(_BEAT_S), self._changed:
                        await self._changed.wait_for(lambda: self._turn > turn)  # noqa: B023 - awaited at once
                        turn, seen = self._turn, self._seen
                except TimeoutError:
                    yield None
                    continue
                yield seen

    @contextlib.contextmanager
    def _followed(self) -> Iterator[None]:
        self._followers += 1
        if self._looking is None:
            self._turn = 0  # what was seen last is old
            self._looking = asyncio.get_running_loop().create_task(self._watch())
        try:
            yield
        finally:
            self._followers -= 1
            if not self._followers and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(GlassworksError):  # it is looked at again
                seen = await asyncio.to_thread(self._look)
                if not self._turn or seen != self._seen:
                    async with self._changed:
                        self._seen, self._turn = seen, self._turn + 1
                        self._changed.notify_all()
            await asyncio.sleep(self._every_s)
