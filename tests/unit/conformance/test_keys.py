"""A key that was given is sent with every request, byte for byte as well."""

from __future__ import annotations

import pytest

from glassworks.conformance.checks.http1 import CASES, LAST, SMUGGLED, get
from glassworks.conformance.http2 import (
    HEADERS,
    LIVE,
    PREFACE,
    asked,
    data,
    frame,
    headers,
    keyed,
)
from glassworks.conformance.raw import addressed
from glassworks.conformance.target import Target

KEY = "gw_0_x"
_LINE = b"Authorization: Bearer gw_0_x\r\n"
_PAIR = (b"authorization", b"Bearer gw_0_x")


def test_each_request_in_bytes_has_the_key_once() -> None:
    target = Target(url="http://server:1", key=KEY)
    assert addressed(target, get() + LAST).count(b"Host: server:1\r\n" + _LINE) == 2
    assert addressed(target, SMUGGLED).count(_LINE) == 1
    (doubled,) = [case for case in CASES if case.name == "two_hosts"]
    assert addressed(target, doubled.sends[0]).count(_LINE) == 2  # its own one, and that of the last request
    assert b"Authorization" not in addressed(Target(url="http://server:1"), get() + LAST)


def test_each_call_in_frames_has_the_key() -> None:
    def sent(*more: tuple[bytes, bytes]) -> bytes:
        return PREFACE + headers(asked(LIVE, *more)) + data() + headers(asked(LIVE, *more, (b"x", b"y")), 3)

    assert keyed(sent(), KEY) == sent(_PAIR)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        PREFACE[:10],
        b"GET / HTTP/1.1\r\n\r\n",
        frame(HEADERS, 4, 1, b"\xff\xff"),
        headers(asked())[:-1],
    ],
)
def test_what_is_no_whole_call_stays_as_it_is(content: bytes) -> None:
    assert keyed(content, KEY) == content
