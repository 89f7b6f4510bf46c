"""What the resources work with."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glassworks.registry import Registry
from glassworks.registry.deployments import Deployments
from glassworks.runs import Runs
from glassworks.runs.series import AllSeries

if TYPE_CHECKING:
    from glassworks.control.facts import Facts
    from glassworks.control.feed import Feed
    from glassworks.control.sampling import Sampler
    from glassworks.control.watching import Watched
    from glassworks.serving.endpoints import Context
    from glassworks.serving.transports.http.asgi import Serving

_TAIL_S = 0.25


@dataclass(frozen=True)
class Control:
    """The registry, its runs, and the running service: what is in `serving` belongs to the event loop of `live`, and is
    only looked at and changed by what `live.ask` is given."""

    registry: Registry
    serving: Context
    live: Serving

    @property
    def home(self) -> Path:
        """The folder of everything that is kept."""
        return self.registry.home

    @functools.cached_property
    def runs(self) -> Runs:
        """The runs of the registry. Raises RegistryError and StorageError."""
        return Runs(self.registry)

    @functools.cached_property
    def deployments(self) -> Deployments:
        """Which versions answered since when."""
        return Deployments(self.registry)

    @functools.cached_property
    def facts(self) -> Facts:
        """What bundles say about themselves."""
        from glassworks.control.facts import Facts

        return Facts(self.registry)

    @functools.cached_property
    def sampler(self) -> Sampler:
        """How much the models answer, and how quickly."""
        from glassworks.control.sampling import Sampler

        return Sampler(self.live, self.serving.dispatcher.models)

    @functools.cached_property
    def tail(self) -> Watched[int]:
        """The number of the last failure, as it grows."""
        from glassworks.control.watching import Watched

        failures = self.serving.failures
        return Watched(lambda: failures.newest, _TAIL_S)

    @functools.cached_property
    def series(self) -> AllSeries:
        """The values of runs over time."""
        return AllSeries(self.runs)

    @functools.cached_property
    def feed(self) -> Feed:
        """The events of runs as they come."""
        from glassworks.control.feed import Feed

        return Feed(self.runs)
