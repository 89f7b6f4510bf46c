"""Releases that ask to be served: the running service loads what their runs publish."""

from __future__ import annotations

import asyncio
import contextlib
import time

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
    """Looks for such runs as long as the service runs, and says by a lock that it does: `runs.presence`."""

    def __init__(self, context: Context, registry: Registry) -> None:
        self._context, self._supervisor = context, context.dispatcher.models.supervisor
        self._registry, self._presence = registry, Presence(registry.home, "service")
        self._seen: set[str] = set()
        self._since = time.time() - _LATELY_S
        self._stamp: Stamp | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        control = Control(self._registry, self._context, Serving(asyncio.get_running_loop()))
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
                await asyncio.to_thread(self._load, control, run)

    def _new(self, control: Control) -> list[Run]:
        """Runs that ended since the last look; the database is read only where it has changed."""
        with contextlib.suppress(GlassworksError):  # it is looked at again
            stamp = control.runs.connected.stamp()
            if stamp is not None and stamp == self._stamp:
                return []
            recent = control.runs.list(("succeeded",), "release", limit=_MOST)
            # Two changes within one tick of the clock leave the same stamp: what has just changed is read once more.
            self._stamp = stamp if control.runs.connected.stamp() == stamp else None
            asked = [run for run in recent if run.request.get("serve") and (run.ended_at or 0.0) >= self._since]
            return [run for run in reversed(asked) if run.id not in self._seen]
        return []

    def _load(self, control: Control, run: Run) -> None:
        from glassworks.control.deploying import load

        self._seen.add(run.id)
        try:
            load(control, run.about, run.who)
        except GlassworksError as error:
            self._supervisor.suffers(_PART, f"{run.about} of run {run.id} is not served: {error.problem}")
        else:
            self._supervisor.recovered(_PART)
