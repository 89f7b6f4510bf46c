"""Runs that ask for it: the running service loads what they publish."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import ClassVar

from glassworks.control.state import Control
from glassworks.errors import GlassworksError
from glassworks.registry import Registry
from glassworks.registry.connected import Stamp
from glassworks.runs import Run
from glassworks.runs.presence import Presence
from glassworks.serving.endpoints import Context
from glassworks.serving.transports.http.asgi import Serving

_LOOK_S = 1.0
_LATELY_S = 60.0
"""What was released while the service started is loaded too: it may have come after its look at the registry."""
_MOST = 20
_PART = "released models"


class Released:
    """Looks for such runs of a `kind` as long as the service runs, and says by a lock that it does: `runs.presence`."""

    kind: ClassVar[str] = "release"

    def __init__(self, context: Context, registry: Registry) -> None:
        self.context, self._supervisor = context, context.dispatcher.models.supervisor
        self._registry, self._presence = registry, Presence(registry.home, "service")
        self._seen: set[str] = set()
        self._since = time.time() - _LATELY_S
        self._stamp: Stamp | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        control = Control(self._registry, self.context, Serving(asyncio.get_running_loop()))
        self._presence.enter()
        self._task = self._supervisor.keep(_PART, lambda: self._follow(control))

    async def stop(self, grace_s: float) -> None:
        """End."""
        self._presence.close()
        if self._task is not None:
            self._task.cancel()

    async def _follow(self, control: Control) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            for run in await asyncio.to_thread(self._new, control):
                await self.take(control, run)

    async def take(self, control: Control, run: Run) -> None:
        """What follows from a run that has succeeded, once."""
        await asyncio.to_thread(self._load, control, run)

    def is_wanted(self, run: Run) -> bool:
        """Whether anything follows from a run that has succeeded."""
        return bool(run.request.get("serve")) and (run.ended_at or 0.0) >= self._since

    def _new(self, control: Control) -> list[Run]:
        """Runs that ended since the last look; the database is read only where it has changed."""
        with contextlib.suppress(GlassworksError):  # it is looked at again
            stamp = control.runs.connected.stamp()
            if stamp is not None and stamp == self._stamp:
                return []
            recent = control.runs.list(("succeeded",), self.kind, limit=_MOST)
            # Two changes within one tick of the clock leave the same stamp: what has just changed is read once more.
            self._stamp = stamp if control.runs.connected.stamp() == stamp else None
            return [run for run in reversed(recent) if run.id not in self._seen and self.is_wanted(run)]
        return []

    def later(self, run: Run, error: GlassworksError) -> None:
        """Take a run once more at the next look."""
        self._seen.discard(run.id)
        self._stamp = None
        self._supervisor.suffers(_PART, f"what follows from run {run.id} waits: {error.problem}")

    def _load(self, control: Control, run: Run) -> None:
        from glassworks.control.deploying import load

        self._seen.add(run.id)
        try:
            load(control, run.about, run.who)
        except GlassworksError as error:
            self._supervisor.suffers(_PART, f"{run.about} of run {run.id} is not served: {error.problem}")
        else:
            self._supervisor.recovered(_PART)
