"""What all connections of a service share."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from glassworks.serving.http.exchange import Exchange
from glassworks.serving.http.limits import Limits

if TYPE_CHECKING:
    from glassworks.serving.http.connection import Connection


class Service:
    """Who answers, the limits, the open connections, and whether the service is stopping."""

    def __init__(self, answer: Callable[[Exchange], None], limits: Limits) -> None:
        self.answer, self.limits = answer, limits
        self.connections: set[Connection] = set()
        self.stopping = False
        self._prefix = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    def request_id(self) -> bytes:
        """A new name for a request that came without one."""
        return b"%s-%x" % (self._prefix.encode(), next(self._numbers))

    def sweep(self, now: float) -> None:
        """Close the connections whose time is over."""
        for connection in list(self.connections):
            connection.expire(now)
