"""The operations of the control API on logs.

Written by docs/generate_client.py: change the routes, then `make docs`.
"""

from __future__ import annotations

from collections.abc import Iterator

from glassworks.client.transport import ServerEvent, Transport
from glassworks.control.paging import Page
from glassworks.control.resources.logs import Line


class LogsMethods(Transport):
    """One method for each operation."""

    def list_failures(self, *, limit: int = 50, after: int | None = None) -> Page[Line]:
        """The newest first. Only the last thousand are kept, and none over a restart."""
        return self.ask("GET", "/logs", Page[Line], query={"limit": limit, "after": after})

    def stream_failures(self, *, after: int | None = None) -> Iterator[ServerEvent]:
        """Those to come, or those behind an event as far as they are kept, the oldest first."""
        return self.follow("/logs/stream", query={"after": after})
