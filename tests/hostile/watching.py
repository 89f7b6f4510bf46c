"""Watches a server from outside while others attack it: how long health checks wait, how much memory it takes."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from glassworks.conformance.http2 import frame, message
from tests.hostile import http2
from tests.hostile.place import Place

_EVERY_S = 0.05
_WAIT_S = 120.0


@dataclass
class Seen:
    """What was seen: waits in seconds, memory in MiB. `failed` health checks got no right answer."""

    memory_before: float
    memory_most: float = 0.0
    waits_http: list[float] = field(default_factory=list)
    waits_grpc: list[float] = field(default_factory=list)
    failed: int = 0

    @property
    def longest_s(self) -> float:
        """The longest wait of a health check of either kind."""
        return max((*self.waits_http, *self.waits_grpc), default=0.0)

    @property
    def grown(self) -> float:
        """MiB over what there was before."""
        return self.memory_most - self.memory_before


@contextlib.contextmanager
def watching(place: Place) -> Iterator[Seen]:
    """Ask for health over HTTP and gRPC again and again, each on connections of their own, until the block ends."""
    seen, over = Seen(place.memory_mb()), threading.Event()
    threads = [
        threading.Thread(target=_asking, args=(place, seen, over, _http, seen.waits_http)),
        threading.Thread(target=_asking, args=(place, seen, over, _grpc, seen.waits_grpc)),
        threading.Thread(target=_weighing, args=(place, seen, over)),
    ]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _asking(place: Place, seen: Seen, over: threading.Event, ask: Callable[[Place], bool], waits: list[float]) -> None:
    while not over.wait(_EVERY_S):
        begun = time.perf_counter()
        try:
            well = ask(place)
        except OSError:
            well = False
        waits.append(time.perf_counter() - begun)
        seen.failed += not well


def _weighing(place: Place, seen: Seen, over: threading.Event) -> None:
    while not over.wait(_EVERY_S):
        with contextlib.suppress(OSError, StopIteration):
            seen.memory_most = max(seen.memory_most, place.memory_mb())


def _http(place: Place) -> bool:
    with place.connect() as client:
        client.settimeout(_WAIT_S)
        client.sendall(place.get("/v2/health/live"))
        return client.recv(4096).startswith(b"HTTP/1.1 200")


def _grpc(place: Place) -> bool:
    """`ServerLive` answers with `live: true`."""
    with http2.opened(place) as client:
        client.settimeout(_WAIT_S)
        client.sendall(frame(1, 4, 1, http2.head(b"ServerLive")) + frame(0, 1, 1, message()))
        received = b""
        while message(b"\x08\x01") not in received:
            part = client.recv(4096)
            if not part:
                return False
            received += part
        return True
