"""HTTP/1.0: a client that asks for it keeps its connection, as ab and old proxies do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from tests.unit.serving.wire import Wire, connected

from glassworks.serving.transports.http.exchange import Answer, Exchange
from glassworks.serving.transports.http.limits import Limits
from glassworks.serving.transports.http.service import Service

KEPT = b"POST / HTTP/1.0\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\n"


async def parts() -> AsyncGenerator[bytes, None]:
    yield b"one"
    yield b"two"


def exchanged(*requests: bytes, stream: bool = False) -> Wire:
    def answer(exchange: Exchange) -> None:
        exchange.reply(Answer(b"", stream=parts()) if stream else Answer(bytes(exchange.body)))

    async def main() -> Wire:
        connection, wire = connected(Service(answer, Limits()))
        for request in requests:
            connection.receive(request)
            await asyncio.sleep(0.01)
        return wire

    return asyncio.run(main())


def test_a_connection_is_kept_for_who_asks() -> None:
    wire = exchanged(KEPT + b"ab", KEPT + b"cd", KEPT + b"ef")
    assert [reply.body for reply in wire.replies()] == [b"ab", b"cd", b"ef"]
    assert {reply.headers["connection"] for reply in wire.replies()} == {"keep-alive"}
    assert not wire.closed


@pytest.mark.parametrize("head", [b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.0\r\nConnection: close\r\n\r\n"])
def test_it_is_closed_for_who_does_not(head: bytes) -> None:
    wire = exchanged(head)
    assert wire.replies()[0].headers["connection"] == "close"
    assert wire.closed


def test_an_answer_in_parts_ends_with_its_connection() -> None:
    wire = exchanged(KEPT + b"ab", stream=True)
    head, _, content = bytes(wire.written).partition(b"\r\n\r\n")
    assert b"connection: close" in head
    assert content == b"onetwo"
    assert wire.closed


def test_later_clients_are_told_nothing() -> None:
    wire = exchanged(KEPT.replace(b"1.0", b"1.1").replace(b"Content", b"Host: a\r\nContent") + b"ab")
    assert "connection" not in wire.replies()[0].headers
    assert not wire.closed
