"""Models from the registry while the service runs: load, unload, and follow new versions and aliases.

A version takes traffic once it is open and warm; one that cannot be opened leaves what is served as it is and says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glassworks.errors import GlassworksError, RegistryError, ServingError, StorageError
from glassworks.registry import Registry
from glassworks.registry.records import split_reference
from glassworks.serving.core.models import Models
from glassworks.serving.core.traffic import Traffic

if TYPE_CHECKING:
    from glassworks.registry import Resolved
    from glassworks.registry.records import Version
    from glassworks.serving.core.model import LoadedModel

_LOOK_S = 1.0
_PART = "registry watcher"


@dataclass(frozen=True, kw_only=True)
class State:
    """A version of a model: `READY`, `LOADING` or `UNAVAILABLE` with its reason."""

    name: str
    version: str
    state: str
    reason: str = ""


class Repository:
    """Keeps an engine's models as references to the registry say: `name`, `name@3`, `name@champion`, or a path."""

    def __init__(self, models: Models, registry: Registry, watch: bool = False) -> None:
        self._models, self._registry, self._watch = models, registry, watch
        self._supervisor = models.supervisor
        self._standing: dict[str, dict[str, str]] = {}
        """By name: each reference that is followed, and the version that now answers for it."""
        self._states: dict[tuple[str, str], State] = {}
        self._failed: dict[tuple[str, str], GlassworksError] = {}
        """Why versions are not served."""
        self._pinned: dict[str, frozenset[str]] = {}
        """By name: versions that are served whatever the references stand for, as a split names them."""
        self._problems: dict[str, Mapping[str, GlassworksError]] = {}
        self._changing = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None

    def open(self, references: Sequence[str]) -> None:
        """Load what is served from the beginning. Raises what forbids it."""
        for reference in references:
            resolved = self._registry.resolve(reference)
            self._models.load(resolved.bundle, resolved.name, str(resolved.version or 1))
            if resolved.version is not None:
                self._standing.setdefault(resolved.name, {})[reference] = str(resolved.version)
                self._models.point(resolved.name, self._aliases(resolved.name))

    def restore(self, name: str, traffic: Traffic | None, versions: Collection[str]) -> None:
        """Before anything is answered: split the requests of a model as they were. Raises what forbids it."""
        missing = sorted(set(versions) - self._served(name))
        for number, resolved in [(each, self._registry.resolve(f"{name}@{each}")) for each in missing]:
            self._models.load(resolved.bundle, resolved.name, number)
        self._pinned[name] = frozenset(versions)
        self._models.point(name, self._aliases(name))
        self._models.direct(name, traffic)

    @property
    def problems(self) -> Mapping[str, GlassworksError]:
        """By reference: why the version that it stands for is not served."""
        return {reference: error for found in self._problems.values() for reference, error in found.items()}

    def follows(self, name: str) -> bool:
        """Whether a model is served from the registry, rather than from a path."""
        return name in self._standing

    async def index(self) -> list[State]:
        """All versions that are served or were asked for, and those of the registry."""
        loop = asyncio.get_running_loop()
        kept = await loop.run_in_executor(self._models.threads.loading, self._kept)
        states = dict(self._states)
        for model in self._models.loaded():
            reason = _without(model.opened.missing_explainers)
            states[model.name, model.version] = State(
                name=model.name, version=model.version, state="READY", reason=reason
            )
        for name, version in kept:
            state = State(name=name, version=version, state="UNAVAILABLE", reason="not loaded")
            states.setdefault((name, version), state)
        return [states[key] for key in sorted(states)]

    async def load(self, reference: str) -> None:
        """Serve what the reference names now, and follow it. Raises NotFound, BundleError."""
        name, _ = split_reference(reference)
        async with self._changing:
            standing = self._standing.setdefault(name, {})
            standing.setdefault(reference, "")
            try:
                if error := (await self._adjust(name, reference)).get(reference):
                    raise error
            finally:
                if not standing[reference]:
                    del standing[reference]
                if not standing:
                    del self._standing[name]

    async def deploy(
        self, name: str, traffic: Traffic | None, versions: Collection[str], commit: Callable[[], None]
    ) -> None:
        """Split the requests of a model between `versions`, which the split and the champion need.

        All are open and warm before `commit` is called, on a thread. Where one cannot be opened or `commit` raises,
        nothing has changed. Raises BundleError, NotFound, and what `commit` raises.
        """
        loop, loading = asyncio.get_running_loop(), self._models.threads.loading
        async with self._changing:
            before, split = self._served(name), self._models.traffic(name)
            if before and split is None:  # a version that is opened now must not answer yet
                self._models.direct(name, Traffic(shares={self._models.model(name).version: 100.0}))
            try:
                await self._open_all(name, sorted(set(versions) - before))
                await loop.run_in_executor(loading, commit)
            except BaseException:
                self._models.direct(name, split)
                for number in self._served(name) - before:
                    self._models.remove(name, number)
                raise
            await self._settle(name, traffic)

    async def _settle(self, name: str, traffic: Traffic | None) -> None:
        """Let a split take effect whose versions are open, and let others go."""
        self._pinned[name] = frozenset(traffic.versions) if traffic is not None else frozenset()
        standing = self._standing.setdefault(name, {})
        if not standing or (traffic is None and not standing.keys() & {name, f"{name}@champion"}):
            standing[name] = ""
        self._models.direct(name, traffic)
        try:
            await self._adjust(name)
        except GlassworksError as error:  # it has taken effect, and the next look at the registry does the rest
            self._supervisor.suffers(_PART, error.problem)

    async def _open_all(self, name: str, numbers: Sequence[str]) -> None:
        loop, loading = asyncio.get_running_loop(), self._models.threads.loading
        aliases = await loop.run_in_executor(loading, self._aliases, name)
        for number in numbers:
            version = await loop.run_in_executor(loading, self._registry.find, f"{name}@{number}")
            await self._bring(version, aliases)
            if number not in self._served(name):
                raise self._failed.pop((name, number))

    async def unload(self, name: str) -> None:
        """Stop serving a model; what is in flight ends first. Raises NotFound."""
        async with self._changing:
            for of_name in (self._standing, self._pinned, self._problems):
                of_name.pop(name, None)
            self._models.direct(name, None)
            for version in list(self._models.versions(name)):
                self._models.remove(name, version)
                self._note(name, version, "UNAVAILABLE", "unloaded")

    async def start(self) -> None:
        """Follow the registry, where that is asked for."""
        if self._watch:
            self._watching = self._supervisor.keep(_PART, self._follow)

    async def stop(self, grace_s: float) -> None:
        """Stop following."""
        if self._watching is not None:
            self._watching.cancel()

    async def follow_once(self) -> None:
        """Take over what has changed in the registry. What cannot be opened is reported, and not tried again."""
        problems: dict[str, GlassworksError] = {}
        async with self._changing:
            for name in list(self._standing):
                try:
                    problems |= await self._adjust(name)
                except GlassworksError as error:
                    problems[name] = error
                except Exception as error:  # noqa: BLE001 - one model must not keep the others from being followed
                    self._supervisor.failed(_PART, error)
        if problems:
            reasons = (f"{name} is served as it was: {error.problem}; {error.mend}" for name, error in problems.items())
            self._supervisor.suffers(_PART, " | ".join(reasons))
        else:
            self._supervisor.recovered(_PART)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            await self.follow_once()

    async def _adjust(self, name: str, asked: str = "") -> dict[str, GlassworksError]:
        """Load the versions that the references of a name stand for now; then let go of those that nobody stands for.

        A reference whose version cannot be opened stands for the one that it stood for before; the reasons, by
        reference. The one that is `asked` for is tried even if it was given up. Raises NotFound.
        """
        loop, loading = asyncio.get_running_loop(), self._models.threads.loading
        found = await loop.run_in_executor(loading, self._found, name)
        aliases = await loop.run_in_executor(loading, self._aliases, name)
        problems: dict[str, GlassworksError] = {}
        for reference, version in found.items():
            key = name, str(version.version)
            if reference == asked:
                self._failed.pop(key, None)
            # A bundle's bytes never change; a disk or a database may work again at the next look.
            given_up = key in self._failed and not isinstance(self._failed[key], StorageError | RegistryError)
            if key[1] not in self._served(name) and not given_up:
                await self._bring(version, aliases)
            if key[1] in self._served(name):
                self._standing[name][reference] = key[1]
            else:
                problems[reference] = self._failed[key]
        self._problems[name] = problems
        self._let_go(name, aliases)
        return problems

    async def _bring(self, version: Version, aliases: Mapping[str, str]) -> None:
        """Serve one more version, or keep the reason why that cannot be."""
        name, number = key = version.name, str(version.version)
        self._note(name, number, "LOADING", "")
        loop, loading = asyncio.get_running_loop(), self._models.threads.loading
        try:
            resolved = await loop.run_in_executor(loading, self._registry.resolve, version.reference)
            model = await loop.run_in_executor(loading, self._opened, resolved)
        except Exception as error:  # noqa: BLE001 - whatever it is, what is served stays so, and the reason is kept
            problem = self._failed[key] = self._known(error)
            self._note(name, number, "UNAVAILABLE", f"{problem.problem}; {problem.mend}")
        except BaseException:
            self._note(name, number, "UNAVAILABLE", "loading was interrupted")
            raise
        else:
            self._states.pop(key, None)
            self._failed.pop(key, None)
            self._models.add(model, self._reachable(name, aliases, number))

    def _known(self, error: Exception) -> GlassworksError:
        if isinstance(error, GlassworksError):
            return error
        self._supervisor.failed(_PART, error)
        return ServingError(f"it cannot be opened: {type(error).__name__}", "the server's log tells more")

    def _let_go(self, name: str, aliases: Mapping[str, str]) -> None:
        """Let the aliases name what they name now, as far as that is served, and the other versions go."""
        if not self._served(name):
            return
        self._models.point(name, self._reachable(name, aliases))
        for number in self._served(name) - set(self._standing[name].values()) - self._pinned.get(name, frozenset()):
            self._models.remove(name, number)
            self._note(name, number, "UNAVAILABLE", "replaced")

    def _reachable(self, name: str, aliases: Mapping[str, str], *more: str) -> dict[str, str]:
        """The aliases; one of a version that is not served names the version that it named before, if that still is."""
        served = {*self._served(name), *more}
        before = self._models.aliases(name)
        return {
            alias: before[alias] if number not in served and before.get(alias) in served else number
            for alias, number in aliases.items()
        }

    def _served(self, name: str) -> set[str]:
        return set(self._models.versions(name)) if name in self._models.names() else set()

    def _opened(self, resolved: Resolved) -> LoadedModel:
        return self._models.open(resolved.bundle, resolved.name, str(resolved.version))

    def _kept(self) -> list[tuple[str, str]]:
        registry = self._registry
        return [(name, str(each.version)) for name in registry.models() for each in registry.versions(name)]

    def _found(self, name: str) -> dict[str, Version]:
        return {reference: self._registry.find(reference) for reference in list(self._standing[name])}

    def _aliases(self, name: str) -> Mapping[str, str]:
        return {alias: str(each.version) for each in self._registry.versions(name) for alias in each.aliases}

    def _note(self, name: str, version: str, state: str, reason: str) -> None:
        self._states[name, version] = State(name=name, version=version, state=state, reason=reason)


def _without(missing: Mapping[str, str]) -> str:
    return f"without the explanations {', '.join(missing)}: they are not installed" if missing else ""
