"""What all connections of a service share."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import sys
import time
from collections.abc import Callable, Sized
from email.utils import formatdate
from typing import Protocol

from glassworks.serving.access.masking import holds_key
from glassworks.serving.supervision import Supervisor
from glassworks.serving.transports.http.exchange import Answer, Exchange
from glassworks.serving.transports.http.limits import Limits
from glassworks.serving.transports.http.turns import Reading, Turns
from glassworks.serving.transports.receiving import Receiving

_REQUEST_ID = 128


class Tracked(Protocol):
    """An open connection, whatever is spoken on it."""

    @property
    def owes(self) -> bool:
        """Whether something that began before the service was told to stop has no answer yet."""

    def close(self) -> None:
        """End it; what was written is still sent."""

    def expire(self, now: float) -> None:
        """Close it when its time is over."""


class Service:
    """Who answers, the limits, the open connections, and whether the service is stopping."""

    def __init__(
        self, answer: Callable[[Exchange], None], limits: Limits, supervisor: Supervisor | None = None
    ) -> None:
        self.answer, self.limits, self.supervisor = answer, limits, supervisor or Supervisor()
        self.receiving = Receiving(limits.max_receiving_bytes)
        self.turns, self.reading = Turns(self.supervisor), Reading(self.supervisor)
        self.connections: set[Tracked] = set()
        self.crowds: list[Sized] = [self.connections]
        """The open connections of this service, and of those beside it on other ports."""
        self.max_connections = sys.maxsize
        self.taken_over: Callable[[Exchange], asyncio.Protocol | None] = lambda exchange: None
        """Who goes on with a connection whose request asks for another protocol; None: it is a plain request."""
        self.refused: Callable[[Exchange], Answer | None] = lambda exchange: None
        """Asked at the end of a head before which a body is read that is large, of unknown size, or waits to be asked
        for: an answer is sent at once, and the connection closed."""
        self.failed: Callable[[Exchange, Answer], None] = lambda exchange, answer: None
        """Called with every answer that says that something is wrong, before it is sent; it must not raise."""
        self.stopping = False
        self.date = b""
        self._read_time()
        self._prefix = secrets.token_hex(4).encode()
        self._numbers = itertools.count(1)

    @property
    def full(self) -> bool:
        """Whether there are as many connections as there may be: the files of the process are shared by all."""
        return sum(map(len, self.crowds)) >= self.max_connections

    def request_id(self, given: bytes = b"") -> bytes:
        """The name that a request came with; a new one for one without, or with an access key in it."""
        if given and given.isascii() and not holds_key(given):
            return given[:_REQUEST_ID]
        return b"%s-%x" % (self._prefix, next(self._numbers))

    def _read_time(self) -> None:
        self.date = formatdate(time.time(), usegmt=True).encode()

    def sweep(self, now: float) -> None:
        """Once a second: close the connections whose time is over."""
        self._read_time()
        for connection in list(self.connections):
            try:
                connection.expire(now)
            except Exception as error:  # noqa: BLE001 - one connection must not keep the others from being looked at
                self.supervisor.failed("sweep of connections", error)
