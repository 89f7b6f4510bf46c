"""Clients that send much of what costs a server work: it ends them or keeps up, and answers others meanwhile."""

from __future__ import annotations

from glassworks.conformance.http2 import (
    CONTINUATION,
    DATA,
    END_STREAM,
    HEADERS,
    PING,
    PREFACE,
    PRIORITY,
    RESET,
    SETTINGS,
    STREAM,
    WINDOW,
    Check,
    Link,
    asked,
    block,
    call,
    frame,
    goes_on,
    headers,
)
from glassworks.conformance.target import Failed, NotOffered, Target

_COUNT = 20_000
_OPEN = headers(asked(STREAM))


def _flood(content: bytes, expects: str) -> Check:
    """The bytes, while nothing is read; meanwhile and afterwards another client is answered."""

    def check(target: Target) -> None:
        with Link(target) as link, Link(target) as other:
            link.greet()
            other.greet().done()
            link.send(content)
            other.send(call())
            goes_on(1)(other)
            seen = link.done()
        if not seen.closed and seen.goodbye is None and not seen.of(PING):
            raise Failed(f"the connection neither ends nor goes on: {seen.summary()}")

    check.__doc__ = expects
    return check


c44_pings = _flood(frame(PING, 0, 0, bytes(8)) * _COUNT, "pings without end (CVE-2019-9512)")
c44_settings = _flood(frame(SETTINGS, 0, 0) * _COUNT, "settings without end (CVE-2019-9515)")
c44_long_settings = _flood(
    b"".join(headers(asked(STREAM), number) for number in range(1, 199, 2))
    + frame(SETTINGS, 0, 0, b"\0\4\0\0\xff\xff" * 2700) * 20,
    "settings of thousands of entries",
)
c44_windows = _flood(
    _OPEN + frame(WINDOW, 0, 0, b"\0\0\0\1") * _COUNT, "windows that grow byte by byte (CVE-2019-9511)"
)
c44_priorities = _flood(frame(PRIORITY, 0, 1, bytes(4) + b"\1") * _COUNT, "priorities without end (CVE-2019-9513)")
c44_resets = _flood(
    b"".join(headers(asked(STREAM), number) + frame(RESET, 0, number, bytes(4)) for number in range(1, 6001, 2)),
    "calls that are begun to be cancelled (CVE-2023-44487)",
)
c44_induced_resets = _flood(
    b"".join(headers(asked(STREAM), number) + frame(WINDOW, 0, number, bytes(4)) for number in range(1, 6001, 2)),
    "calls that make the server reset them (CVE-2025-8671)",
)
c44_empty_data = _flood(_OPEN + frame(DATA, 0, 1) * _COUNT, "empty frames without end (CVE-2019-9518)")
c44_continuations = _flood(
    frame(HEADERS, 0, 1, block(asked())) + frame(CONTINUATION, 0, 1) * _COUNT, "headers without end (CVE-2024-27316)"
)
c44_header_bomb = _flood(
    frame(HEADERS, 4, 1, block(asked()) + b"\x40\x01a\x7f\x81\x1e" + b"v" * 4000)
    + b"".join(frame(HEADERS, 4 | END_STREAM, number, b"\xbe" * 16_000) for number in range(3, 200, 2)),
    "small blocks that stand for large headers (CVE-2016-6581)",
)
c44_unknown_frames = _flood(frame(200, 0, 0) * _COUNT, "unknown frames without end")


def c44_slow_preface(target: Target) -> None:
    """Clients that say nothing, or half of a beginning, keep no others out."""
    if target.grpc is None:
        raise NotOffered("no gRPC address was given: --grpc HOST:PORT")
    silent = [Link(target) for _ in range(50)]
    try:
        for link in silent[::2]:
            link.send(PREFACE[:10])
        with Link(target) as other:
            other.greet().send(call())
            goes_on(1)(other)
    finally:
        for link in silent:
            link.__exit__()
