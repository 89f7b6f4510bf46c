"""What the resources work with."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glassworks.registry import Registry
from glassworks.runs import Runs

if TYPE_CHECKING:
    from glassworks.control.feed import Feed
    from glassworks.serving.endpoints import Context
    from glassworks.serving.transports.http.asgi import Serving


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
    def feed(self) -> Feed:
        """The events of runs as they come."""
        from glassworks.control.feed import Feed

        return Feed(self.runs)
