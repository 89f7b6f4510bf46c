"""The operations of the control API on status.

Written by docs/generate_client.py: change the routes, then `make docs`.
"""

from __future__ import annotations

from glassworks.client.transport import Transport
from glassworks.control.resources.status import Status


class StatusMethods(Transport):
    """One method for each operation."""

    def get_status(self) -> Status:
        """What is going on, and what needs somebody."""
        return self.ask("GET", "/status", Status)
