"""Long streams of an unmodified grpcio client over real sockets: windows that are renewed, both ways, without end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from tests.patience import PATIENCE_S

from glassworks.serving.transports.grpc.calls import Calls
from glassworks.serving.transports.grpc.connection import Connection
from glassworks.serving.transports.grpc.methods import Method
from glassworks.serving.transports.http.limits import Limits
from glassworks.serving.transports.receiving import Receiving

MIB = 2**20
WAIT_S = PATIENCE_S


class Weighed(Receiving):
    """Knows the most that was ever kept."""

    most = 0

    def grown(self, receiver: Any, size_bytes: int) -> None:
        super().grown(receiver, size_bytes)
        self.most = max(self.most, self.total_bytes)


@contextlib.contextmanager
def echoing(receiving: Receiving) -> Iterator[str]:
    """The address of a server that sends back what it gets."""

    async def echo(requests: AsyncIterator[bytes], sent: Any) -> AsyncGenerator[bytes, None]:
        async for request in requests:
            yield request

    async def one(request: bytes, sent: Any) -> bytes:
        return request

    methods = {
        b"/test/Stream": Method(read=bytes, write=bytes, streamed=echo),
        b"/test/One": Method(read=bytes, write=bytes, unary=one),
    }
    loop, up, port = asyncio.new_event_loop(), threading.Event(), [0]
    over = asyncio.Event()

    async def serve() -> None:
        calls = Calls(methods, Limits(), receiving)
        server = await loop.create_server(lambda: Connection(calls), "127.0.0.1", 0)
        port[0] = server.sockets[0].getsockname()[1]
        up.set()
        await over.wait()
        for connection in list(calls.connections):
            connection.close()
        server.close()
        await asyncio.sleep(0.05)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert up.wait(WAIT_S)
    yield f"127.0.0.1:{port[0]}"
    loop.call_soon_threadsafe(over.set)
    thread.join()
    loop.close()


@pytest.mark.parametrize(("size", "count"), [(100, 2000), (50_000, 400), (3 * MIB, 14)])
def test_a_stream_goes_on_past_every_window(size: int, count: int) -> None:
    receiving = Weighed(64 * MIB)
    with (
        echoing(receiving) as address,
        grpc.insecure_channel(address, [("grpc.max_receive_message_length", -1)]) as channel,
    ):
        call: Any = channel.stream_stream("/test/Stream")
        sent = (place.to_bytes(4, "big") + bytes(size) for place in range(count))
        got = [(int.from_bytes(answer[:4], "big"), len(answer)) for answer in call(sent, timeout=WAIT_S)]
    assert got == [(place, size + 4) for place in range(count)]
    # A message on its way in, one on its way out, and a window.
    assert receiving.most <= 3 * (size + 100_000)
    assert receiving.total_bytes == 0


def test_large_calls_at_once_come_one_after_another() -> None:
    receiving = Weighed(192 * MIB)
    with (
        echoing(receiving) as address,
        grpc.insecure_channel(address, [("grpc.max_receive_message_length", -1)]) as channel,
    ):
        call: Any = channel.unary_unary("/test/One")
        futures = [call.future(bytes([place]) * (12 * MIB), timeout=WAIT_S) for place in range(12)]
        answers = [future.result() for future in futures]
    assert [(each[0], len(each)) for each in answers] == [(place, 12 * MIB) for place in range(12)]
    assert receiving.total_bytes == 0
