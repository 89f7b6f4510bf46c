"""What waits its turn: the requests that one client sends at once, and the turns of all clients."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from glassworks.serving.supervision import Supervisor
from glassworks.serving.transports.http.exchange import Exchange

_TURN_S = 0.005
_SLICE = 1024
"""Bytes that are read at once of a heap of small requests, so that it neither keeps the loop nor fills the queue."""
_QUEUED = 16
"""Pipelined requests that are read ahead of their turn."""
_EXCHANGE = 1024
"""Bytes that a waiting request takes beside its body, about."""
_READ = 2**20
"""Bytes of bodies that are not whole, of all clients, that are read in a turn of the loop."""
_READERS = 8
"""Clients that are read from again in a turn."""
_CROWD = 256
"""Requests of all clients that wait, beyond which what comes in a heap is not looked at before its turn."""


class Turns:
    """Requests that wait begin a few at a time: between two turns the event loop reads and answers whoever asks."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._waiting: deque[Callable[[], None]] = deque()
        self.requests = 0
        """So many wait, of all clients."""

    def wait(self, begin: Callable[[], object]) -> None:
        """Call `begin` when it is its turn."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._turn)
        self._waiting.append(self._supervisor.guard("turns of requests", begin))

    def _turn(self) -> None:
        end = time.perf_counter() + _TURN_S
        # Who waits again while a turn lasts waits for the next one.
        for _ in range(len(self._waiting)):
            self._waiting[0]()
            self._waiting.popleft()
            if time.perf_counter() > end:
                break
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._turn)


class Reading:
    """Bodies are read a few at a time: what a thousand clients send at once is not taken in one turn of the loop."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._waiting: deque[Callable[[], None]] = deque()
        self._left = _READ
        self._scheduled = False

    @property
    def over(self) -> bool:
        """Whether nothing more of a body should be read in this turn."""
        return self._left <= 0

    def took(self, size: int, go_on: Callable[[], object]) -> bool:
        """So many bytes of a body were read. True: others have their turn first, and `go_on` is called after that."""
        self._left -= size
        self._schedule()
        if self.over:
            self._waiting.append(self._supervisor.guard("turns of reading", go_on))
        return self.over

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled, self._left = False, _READ
        for _ in range(min(_READERS, len(self._waiting))):
            self._waiting.popleft()()
        if self._waiting:
            self._schedule()


class Queue:
    """One client's requests that are `waiting` for the answers before theirs, and what of a heap is `unread`."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.waiting: deque[Exchange] = deque()
        self.unread = b""
        self._bodies_bytes = 0

    @property
    def full(self) -> bool:
        """Whether nothing more is read for now."""
        return len(self.waiting) >= _QUEUED or bool(self.unread)

    @property
    def size_bytes(self) -> int:
        """Of all that waits, about."""
        return self._bodies_bytes + _EXCHANGE * len(self.waiting) + len(self.unread)

    def allows(self, size: int) -> int:
        """How many of the bytes that came are read at once: many small requests cost more than their bytes."""
        heap = size > _SLICE and self._turns.requests >= _CROWD
        return 0 if heap or self.unread else size

    def next_slice(self) -> bytes:
        """What is read next of it; nothing while a request waits already."""
        if self.waiting:
            return b""
        part, self.unread = self.unread[:_SLICE], self.unread[_SLICE:]
        return part

    def add(self, exchange: Exchange) -> None:
        self.waiting.append(exchange)
        self._bodies_bytes += len(exchange.body)
        self._turns.requests += 1

    def take(self) -> Exchange:
        """The request whose turn it is."""
        exchange = self.waiting.popleft()
        self._bodies_bytes -= len(exchange.body)
        self._turns.requests -= 1
        return exchange

    def clear(self) -> None:
        """Drop everything; none of it was begun."""
        self._turns.requests -= len(self.waiting)
        self.waiting.clear()
        self._bodies_bytes, self.unread = 0, b""
