"""The times of a gRPC connection: who says nothing, asks nothing or reads nothing is left; calls that work are not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
from tests.unit.serving.frames import PATH, Client, framed, goodbye, resets, run

from glassworks.serving.transports.grpc.frames import PREFACE, Code, Kind, Setting, frame
from glassworks.serving.transports.grpc.methods import Method
from glassworks.serving.transports.http.limits import Limits

LIMITS = Limits(receive_s=10, idle_s=20)


async def never(request: bytes, sent: Any) -> bytes:
    await asyncio.sleep(1000)
    return request


async def shout(requests: AsyncIterator[bytes], sent: Any) -> AsyncGenerator[bytes, None]:
    async for request in requests:
        yield request.upper()


def unary() -> Client:
    return Client({PATH: Method(read=bytes, write=bytes, unary=never)}, LIMITS)


class Time:
    """Sweeps a client's connection as if time had passed."""

    def __init__(self, client: Client) -> None:
        self._client, self.now = client, 1000.0

    def passes(self, seconds: int) -> None:
        for _ in range(seconds + 1):
            self._client.connection.expire(self.now)
            self.now += 1


@pytest.mark.parametrize("sent", [b"", PREFACE[:10]])
def test_who_says_nothing_is_left(sent: bytes) -> None:
    async def main() -> Client:
        client = unary()
        client.connection.data_received(sent)
        Time(client).passes(9)
        assert not client.wire.closed
        Time(client).passes(12)
        return client

    assert run(main).wire.closed


def test_an_idle_connection_is_told_before_it_ends() -> None:
    async def main() -> tuple[Client, bool]:
        client = Client(limits=LIMITS).greet()
        time = Time(client)
        time.passes(15)
        await client.send(client.headers(), client.data(framed(b"x")))
        time.passes(15)
        early = client.wire.closed
        client.connection.data_received(frame(Kind.PING, 0, 0, bytes(8)))
        time.passes(8)
        return client, early

    client, early = run(main)
    assert not early
    assert goodbye(client) == (Code.NO_ERROR, "nothing was asked for long")
    assert client.wire.closed


def test_requests_and_readers_have_their_time() -> None:
    async def main() -> Client:
        client = Client({PATH: Method(read=bytes, write=bytes, streamed=shout)}, LIMITS).greet(
            (Setting.INITIAL_WINDOW_SIZE, 3)
        )
        await client.send(client.headers(), client.data(framed(b"unread"), 0))  # its answer waits for a window
        await client.send(client.headers(), client.data(framed(b"half")[:6], 0))
        await client.send(client.headers())  # a stream between its messages may wait for ever
        time = Time(client)
        time.passes(6)
        await client.send(client.data(framed(b"half")[6:7], 0, 3))  # another byte buys no time
        time.passes(6)
        return client

    client = run(main)
    assert resets(client)[0] == (1, Code.CANCEL)
    assert client.status(3)[0] == 4
    assert "within 10 s" in client.status(3)[1]
    assert sorted(client.connection._streams.live) == [5]


def test_who_reads_nothing_for_long_is_cut_off() -> None:
    async def main() -> Client:
        client = unary().greet()
        await client.send(client.headers(), client.data(framed(b"")))
        client.connection.pause_writing()
        Time(client).passes(12)
        return client

    assert run(main).wire.aborted


def test_a_call_that_works_has_all_the_time_it_needs() -> None:
    async def main() -> Client:
        client = unary().greet()
        await client.send(client.headers(), client.data(framed(b"")))
        Time(client).passes(100)
        client.connection.connection_lost(None)
        return client

    assert not run(main).wire.closed
