"""Models from the registry while the service runs: load, unload, and follow new versions and aliases.

A version takes traffic once it is open and warm; one that cannot be opened leaves what is served as it is and says why.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glassworks.errors import GlassworksError
from glassworks.registry import Registry
from glassworks.registry.records import split_reference
from glassworks.serving.engine import Engine

if TYPE_CHECKING:
    from glassworks.registry import Resolved
    from glassworks.registry.records import Version
    from glassworks.serving.model import LoadedModel

_LOOK_S = 1.0
_log = logging.getLogger("glassworks.serving")


@dataclass(frozen=True, kw_only=True)
class State:
    """A version of a model: `READY`, `LOADING` or `UNAVAILABLE` with its reason."""

    name: str
    version: str
    state: str
    reason: str = ""


class Repository:
    """Keeps an engine's models as references to the registry say: `name`, `name@3`, `name@champion`, or a path."""

    def __init__(self, engine: Engine, registry: Registry, watch: bool = False) -> None:
        self._engine, self._registry, self._watch = engine, registry, watch
        self._wanted: dict[str, list[str]] = {}
        self._states: dict[tuple[str, str], State] = {}
        self._changing = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None

    def open(self, references: Sequence[str]) -> None:
        """Load what is served from the beginning. Raises what forbids it."""
        for reference in references:
            resolved = self._registry.resolve(reference)
            self._engine.load(resolved.bundle, resolved.name, str(resolved.version or 1))
            if resolved.version is not None:
                self._wanted.setdefault(resolved.name, []).append(reference)
                self._engine.point(resolved.name, self._aliases(resolved.name))

    async def index(self) -> list[State]:
        """All versions that are served or were asked for, and those of the registry."""
        loop = asyncio.get_running_loop()
        kept = await loop.run_in_executor(self._engine.threads.loading, self._kept)
        states = dict(self._states)
        for model in self._engine.loaded():
            states[model.name, model.version] = State(name=model.name, version=model.version, state="READY")
        for name, version in kept:
            state = State(name=name, version=version, state="UNAVAILABLE", reason="not loaded")
            states.setdefault((name, version), state)
        return [states[key] for key in sorted(states)]

    async def load(self, reference: str) -> None:
        """Serve what the reference names now, and follow it. Raises NotFound, BundleError."""
        name, _ = split_reference(reference)
        async with self._changing:
            before = self._wanted.get(name, [])
            self._wanted[name] = [*(each for each in before if each != reference), reference]
            try:
                await self._adjust(name)
            except BaseException:
                self._wanted[name] = before
                if not before:
                    del self._wanted[name]
                raise

    async def unload(self, name: str) -> None:
        """Stop serving a model; what is in flight ends first. Raises NotFound."""
        async with self._changing:
            self._wanted.pop(name, None)
            for version in list(self._engine.versions(name)):
                self._engine.remove(name, version)
                self._note(name, version, "UNAVAILABLE", "unloaded")

    async def start(self) -> None:
        """Follow the registry, where that is asked for."""
        if self._watch:
            self._watching = asyncio.create_task(self._follow())

    async def stop(self, grace_s: float) -> None:
        """Stop following."""
        if self._watching is not None:
            self._watching.cancel()

    async def follow_once(self) -> None:
        """Take over what has changed in the registry. A version that cannot be opened is logged, and tried no more."""
        async with self._changing:
            for name in list(self._wanted):
                try:
                    await self._adjust(name)
                except GlassworksError as error:
                    _log.error("%s is served as it was: %s", name, error)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            await self.follow_once()

    async def _adjust(self, name: str) -> None:
        """Load the versions that the references of a name stand for now; then let go of the others."""
        loop, loading = asyncio.get_running_loop(), self._engine.threads.loading
        found = await loop.run_in_executor(loading, self._found, name)
        aliases = await loop.run_in_executor(loading, self._aliases, name)
        wanted = {str(version.version): version for version in found}
        served = set(self._engine.versions(name)) if name in self._engine.names() else set()
        failed: GlassworksError | None = None
        for number, version in wanted.items():
            if number in served or self._given_up(version):
                continue
            self._note(name, number, "LOADING", "")
            try:
                resolved = await loop.run_in_executor(loading, self._registry.resolve, version.reference)
                model = await loop.run_in_executor(loading, self._opened, resolved)
            except GlassworksError as error:
                self._note(name, number, "UNAVAILABLE", f"{error.problem}; {error.mend}")
                failed = error
                continue
            self._states.pop((name, number), None)
            self._engine.add(model, aliases)
        if failed is not None:
            raise failed
        self._engine.point(name, aliases)
        for number in served - wanted.keys():
            self._engine.remove(name, number)
            self._note(name, number, "UNAVAILABLE", "replaced")

    def _opened(self, resolved: Resolved) -> LoadedModel:
        return self._engine.open(resolved.bundle, resolved.name, str(resolved.version))

    def _kept(self) -> list[tuple[str, str]]:
        registry = self._registry
        return [(name, str(each.version)) for name in registry.models() for each in registry.versions(name)]

    def _found(self, name: str) -> list[Version]:
        return [self._registry.find(reference) for reference in self._wanted[name]]

    def _aliases(self, name: str) -> Mapping[str, str]:
        return {alias: str(each.version) for each in self._registry.versions(name) for alias in each.aliases}

    def _given_up(self, version: Version) -> bool:
        """Whether this version could not be opened before; its bytes never change."""
        state = self._states.get((version.name, str(version.version)))
        return (
            self._watching is not None
            and state is not None
            and state.state == "UNAVAILABLE"
            and bool(state.reason not in ("unloaded", "replaced"))
        )

    def _note(self, name: str, version: str, state: str, reason: str) -> None:
        self._states[name, version] = State(name=name, version=version, state=state, reason=reason)
