"""Loaded models by name and version, and which of them answers."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from glassworks.catalog import get
from glassworks.contracts import Feedback, Memory, Task
from glassworks.errors import NotFound
from glassworks.packaging.bundle import Bundle
from glassworks.packaging.opened import OpenedBundle, memory_file
from glassworks.packaging.promises import truthful
from glassworks.serving.core.engines.opening import Placement, open_engines
from glassworks.serving.core.memory import give_back
from glassworks.serving.core.model import Batching, LoadedModel
from glassworks.serving.core.threads import Threads
from glassworks.serving.core.traffic import Traffic
from glassworks.serving.core.work import Work
from glassworks.serving.supervision import Supervisor

_CHAMPION = "champion"
_log = logging.getLogger("glassworks.serving")


class Models:
    """Models by name and version; aliases and traffic say which version answers when none is asked for."""

    def __init__(
        self,
        batching: Batching | None = None,
        placement: Placement | None = None,
        home: Path | None = None,
        supervisor: Supervisor | None = None,
    ) -> None:
        self.supervisor = supervisor or Supervisor()
        self._home, self._memories = home, dict[tuple[str, str], Memory]()
        self.batching, self.threads, self._placement = batching or Batching(), Threads(), placement or Placement()
        self.settle: Callable[[Sequence[Work]], None] = lambda works: None
        """Called with what was computed before anybody gets an answer."""
        self._models: dict[str, dict[str, LoadedModel]] = {}
        self._aliases: dict[str, dict[str, str]] = {}
        self._default: dict[str, LoadedModel] = {}
        self._traffic: dict[str, Traffic] = {}

    def open(self, bundle: Bundle, name: str, version: str) -> LoadedModel:
        """A warm model that nobody sees yet; takes a while, so call it off the event loop.

        Raises BundleError, whatever is wrong with the bundle; StorageError and MissingLibrary.
        """
        with truthful(bundle.manifest.name):
            memory, opened = self._memory(bundle, name), OpenedBundle(bundle)
            engines = open_engines(opened, f"{name}@{version}", self._placement, memory, self.supervisor)
            model = LoadedModel(
                *(opened, name, version, engines, self.threads, self.batching, self._settled, self.supervisor)
            )
        for method, reason in model.opened.missing_explainers.items():
            _log.warning("%s@%s is served without the explanation method '%s': %s", name, version, method, reason)
        return model

    def _settled(self, works: Sequence[Work]) -> None:
        """By whoever has set `settle` by then."""
        self.settle(works)

    def _memory(self, bundle: Bundle, name: str) -> Memory | None:
        """The feedback for all versions of a model, where its task remembers and there is a home to keep it in."""
        key = name, bundle.manifest.task
        if key not in self._memories and self._home is not None:
            task = get(Task, key[1])
            if isinstance(task, Feedback):
                self._memories[key] = task.memory(memory_file(self._home, name))
        return self._memories.get(key)

    def add(self, model: LoadedModel, aliases: Mapping[str, str] | None = None) -> None:
        """Let a model answer from now on; `aliases` are all those of its name. A version of that number is replaced."""
        versions = self._models.setdefault(model.name, {})
        before = versions.pop(model.version, None)
        versions[model.version] = model
        if aliases is not None:
            self._aliases[model.name] = dict(aliases)
        self._choose_default(model.name)
        if before is not None:
            before.retire()

    def load(self, bundle: Bundle, name: str, version: str) -> LoadedModel:
        """Open and add a model."""
        model = self.open(bundle, name, version)
        self.add(model)
        return model

    def point(self, name: str, aliases: Mapping[str, str]) -> None:
        """Let the aliases of a model name these versions."""
        self._aliases[name] = dict(aliases)
        self._choose_default(name)

    def remove(self, name: str, version: str) -> None:
        """Take a version out of service; what it is doing is finished first. Raises NotFound."""
        model = self.model(name, version)
        del self._models[name][model.version]
        if not self._models[name]:
            del self._models[name]
        self._choose_default(name)
        model.retire(_give_memory_back)

    def direct(self, name: str, traffic: Traffic | None) -> None:
        """Split the traffic of a model between its versions, or stop doing so."""
        if traffic is None:
            self._traffic.pop(name, None)
        else:
            self._traffic[name] = traffic

    def traffic(self, name: str) -> Traffic | None:
        """How the traffic of a model is split; None when all goes to its default version."""
        return self._traffic.get(name)

    def model(self, name: str, version: str | None = None) -> LoadedModel:
        """The model of a version or an alias, the default one for None. Raises NotFound with what there is."""
        if version is None:
            model = self._default.get(name)
            if model is not None:
                return model
            raise NotFound(f"there is no model '{name[:200]}' here", f"served: {', '.join(self._models) or 'none'}")
        versions = self._models.get(name)
        if versions is None:
            return self.model(name)
        model = versions.get(version) or versions.get(self._aliases.get(name, {}).get(version, ""))
        if model is None:
            raise NotFound(
                f"the model '{name}' has no version '{version[:200]}' here", f"versions: {', '.join(versions)}"
            )
        return model

    def chosen(self, name: str, version: str | None = None, key: str = "") -> LoadedModel:
        """The model that answers a request: of the version asked for, else as the traffic is split.

        Requests of the same `key` get the same version while the split stays. Raises NotFound.
        """
        if version is None and (traffic := self._traffic.get(name)) is not None:
            return self.model(name, traffic.version(key or f"{random.random()}"))  # noqa: S311 - no secret
        return self.model(name, version)

    def shadow(self, name: str) -> LoadedModel | None:
        """The model that gets a copy of the traffic, if there is one and it is loaded."""
        traffic = self._traffic.get(name)
        if traffic is None or traffic.shadow is None:
            return None
        try:
            return self.model(name, traffic.shadow)
        except NotFound:
            return None

    def names(self) -> Sequence[str]:
        """The names of all loaded models."""
        return tuple(self._models)

    def versions(self, name: str) -> Sequence[str]:
        """The loaded versions of a model. Raises NotFound."""
        self.model(name)
        return tuple(self._models[name])

    def aliases(self, name: str) -> Mapping[str, str]:
        """The aliases of a model."""
        return self._aliases.get(name, {})

    def loaded(self) -> Sequence[LoadedModel]:
        """All loaded versions of all models."""
        return [model for versions in self._models.values() for model in versions.values()]

    def close(self) -> None:
        """End engines and threads; what runs in this process is finished first."""
        for model in self.loaded():
            model.close()
        self.threads.close()
        for memory in self._memories.values():
            memory.close()

    def _choose_default(self, name: str) -> None:
        """The champion where it is loaded, else the version loaded last."""
        versions = self._models.get(name)
        if not versions:
            self._default.pop(name, None)
            return
        champion = versions.get(self._aliases.get(name, {}).get(_CHAMPION, ""))
        self._default[name] = champion or next(reversed(versions.values()))


def _give_memory_back() -> None:
    """Without this a process keeps growing over many reloads."""
    import gc

    gc.collect()
    give_back()
