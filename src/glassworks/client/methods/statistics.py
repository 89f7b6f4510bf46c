"""The operations of the control API on statistics.

Written by docs/generate_client.py: change the routes, then `make docs`.
"""

from __future__ import annotations

from collections.abc import Iterator

from glassworks.client.transport import ServerEvent, Transport
from glassworks.control.sampling import Snapshot


class StatisticsMethods(Transport):
    """One method for each operation."""

    def get_statistics(self) -> Snapshot:
        """What all models in service have answered, and at what rate; rates are known from a second look on."""
        return self.ask("GET", "/statistics", Snapshot)

    def stream_statistics(self) -> Iterator[ServerEvent]:
        """The same once a second; each event is a whole snapshot."""
        return self.follow("/statistics/stream")
