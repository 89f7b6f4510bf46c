"""One connection, byte by byte: what is sent in pieces, in heaps, too large, too slow or not HTTP at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

import pytest
from tests.unit.serving.wire import Wire, request_bytes

from glassworks.serving.transports.http.connection import Connection
from glassworks.serving.transports.http.exchange import Answer, Exchange, json_answer
from glassworks.serving.transports.http.limits import Limits
from glassworks.serving.transports.http.service import Service

_T = TypeVar("_T")
LIMITS = Limits(max_body_bytes=200_000, max_header_bytes=2000, max_headers=20, idle_s=5, receive_s=2)


class Echo:
    """Answers with what was asked, at once or when told."""

    def __init__(self, wait: bool = False) -> None:
        self.waiting: list[Exchange] = []
        self._wait = wait

    def __call__(self, exchange: Exchange) -> None:
        if exchange.late:
            exchange.reply(json_answer({"error": "stopping"}, 503))
        elif self._wait:
            self.waiting.append(exchange)
        else:
            self.answer(exchange)

    def answer(self, exchange: Exchange) -> None:
        told = {"method": exchange.method, "target": exchange.target.decode(), "bytes": len(exchange.body)}
        exchange.reply(json_answer(told))


def connect(answer: Callable[[Exchange], None], limits: Limits = LIMITS) -> tuple[Service, Connection, Wire]:
    service, wire = Service(answer, limits), Wire()
    connection = Connection(service)
    connection.connection_made(wire)  # type: ignore[arg-type]
    return service, connection, wire


def run(main: Callable[[], Awaitable[_T]]) -> _T:
    async def whole() -> _T:
        return await main()

    return asyncio.run(whole())


async def turns(count: int = 50) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


ONE = request_bytes("POST", "/a", b"x" * 300, {"x-request-id": "r-1"})


@pytest.mark.parametrize("size", [1, 2, 7, 64, 1000])
def test_requests_may_come_in_pieces_and_in_heaps(size: int) -> None:
    async def main() -> Wire:
        _, connection, wire = connect(Echo())
        content = ONE + request_bytes("GET", "/b?c=1", b"", {}) + ONE
        for place in range(0, len(content), size):
            connection.receive(content[place : place + size])
        await turns()
        return wire

    replies = run(main).replies()
    assert [reply.json["target"] for reply in replies] == ["/a", "/b?c=1", "/a"]
    assert [reply.json["bytes"] for reply in replies] == [300, 0, 300]
    assert replies[0].headers["x-request-id"] == replies[2].headers["x-request-id"] == "r-1"
    assert replies[1].headers["x-request-id"] not in ("", "r-1")


def test_pipelined_requests_are_answered_in_their_order() -> None:
    async def main() -> tuple[Wire, list[str]]:
        echo = Echo(wait=True)
        _, connection, wire = connect(echo)
        connection.receive(b"".join(request_bytes("GET", f"/{number}", b"", {}) for number in range(40)))
        assert wire.paused
        order = []
        while echo.waiting:
            exchange = echo.waiting.pop()
            assert not echo.waiting
            order.append(exchange.target.decode())
            echo.answer(exchange)
            await turns(3)
        return wire, order

    wire, order = run(main)
    assert order == [f"/{number}" for number in range(40)]
    assert [reply.json["target"] for reply in wire.replies()] == order
    assert not wire.paused


@pytest.mark.parametrize("length", [True, False])
def test_large_bodies_are_whole(length: bool) -> None:
    body = bytes(range(256)) * 600

    async def main() -> bytes:
        got: list[bytes] = []

        def keep(exchange: Exchange) -> None:
            got.append(bytes(exchange.content()))
            exchange.reply(Answer(b""))

        _, connection, _ = connect(keep)
        if length:
            content = request_bytes("POST", "/", body, {})
        else:
            parts = [body[place : place + 5000] for place in range(0, len(body), 5000)]
            chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
            content = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
        for place in range(0, len(content), 10_000):
            connection.receive(content[place : place + 10_000])
        return got[0]

    assert run(main) == body


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"h%d: v\r\n" % number for number in range(21)) + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nlong: " + b"v" * 3000 + b"\r\n\r\n", 431),
        (b"GET /" + b"p" * 3000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 200001\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + b"ffff\r\n" + b"x" * 65535 + b"\r\n", 0),
    ],
)
def test_what_is_no_request_is_refused_and_the_connection_closed(content: bytes, status: int) -> None:
    async def main() -> Wire:
        _, connection, wire = connect(Echo())
        connection.receive(content)
        if not status:  # more and more, without an end
            for _ in range(4):
                connection.receive(b"ffff\r\n" + b"x" * 65535 + b"\r\n")
        await turns()
        # Whatever comes behind it is not read.
        connection.receive(ONE)
        return wire

    wire = run(main)
    (reply,) = wire.replies()
    assert reply.status == (status or 413)
    assert "; " in reply.error
    assert reply.headers["connection"] == "close"
    assert wire.over


def test_a_bad_request_behind_a_good_one_is_told_behind_its_answer() -> None:
    async def main() -> Wire:
        echo = Echo(wait=True)
        _, connection, wire = connect(echo)
        connection.receive(ONE + b"nonsense\r\n\r\n")
        assert not wire.replies()
        echo.answer(echo.waiting.pop())
        await turns()
        return wire

    assert [reply.status for reply in run(main).replies()] == [200, 400]


def test_an_upgrade_is_answered_as_what_it_is() -> None:
    async def main() -> Wire:
        _, connection, wire = connect(Echo())
        headers = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAMAAABk"}
        connection.receive(request_bytes("POST", "/up", b"body", headers) + ONE)
        await turns()
        return wire

    replies = run(main).replies()
    assert [(reply.json["target"], reply.json["bytes"]) for reply in replies] == [("/up", 4), ("/a", 300)]


def test_who_asks_whether_to_go_on_may() -> None:
    async def main() -> Wire:
        _, connection, wire = connect(Echo())
        connection.receive(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
        assert wire.written == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.written.clear()
        connection.receive(b"ok")
        return wire

    assert run(main).replies()[0].json["bytes"] == 2


@pytest.mark.parametrize(
    ("version", "header", "closed"), [("1.1", "close", True), ("1.0", "", True), ("1.1", "keep-alive", False)]
)
def test_a_connection_is_kept_as_its_client_wants(version: str, header: str, closed: bool) -> None:
    async def main() -> Wire:
        _, connection, wire = connect(Echo())
        line = f"connection: {header}\r\n" if header else ""
        connection.receive(f"GET / HTTP/{version}\r\nhost: x\r\n{line}\r\n".encode())
        return wire

    wire = run(main)
    assert wire.closed == closed
    assert (wire.replies()[0].headers.get("connection") == "close") == closed


def test_who_leaves_is_told_to_those_that_work_for_him() -> None:
    async def main() -> tuple[list[str], Service]:
        echo, left = Echo(wait=True), []
        service, connection, _ = connect(echo)
        connection.receive(ONE)
        echo.waiting[0].on_gone = lambda: left.append("left")
        connection.connection_lost(None)
        # Too late, and no error.
        echo.answer(echo.waiting[0])
        return left, service

    left, service = run(main)
    assert left == ["left"]
    assert not service.connections


@pytest.mark.parametrize(
    ("sent", "seconds", "status"),
    [(b"", 1, 0), (b"", 3, None), (ONE[:60], 1, 0), (ONE[:60], 3, 408), (ONE[:-5], 3, 408)],
)
def test_slow_clients_are_given_up(sent: bytes, seconds: float, status: int | None) -> None:
    """None: closed without an answer; 0: still open."""

    async def main() -> Wire:
        service, connection, wire = connect(Echo())
        connection.receive(sent)
        service.sweep(asyncio.get_running_loop().time() + seconds)
        return wire

    wire = run(main)
    assert wire.over == (status != 0)
    assert [reply.status for reply in wire.replies()] == ([status] if status else [])


def test_a_client_that_does_not_read_is_cut_off() -> None:
    async def main() -> tuple[bool, bool]:
        service, connection, wire = connect(Echo())
        connection.pause_writing()
        paused = wire.paused
        service.sweep(asyncio.get_running_loop().time() + 3)
        return paused, wire.closed

    assert run(main) == (True, True)


def test_who_asked_before_may_be_silent_for_longer() -> None:
    async def main() -> list[bool]:
        service, connection, wire = connect(Echo())
        connection.receive(request_bytes("GET", "/", b"", {}))
        now, closed = asyncio.get_running_loop().time(), []
        for waited_s in (LIMITS.idle_s - 0.5, LIMITS.idle_s + 0.5):
            service.sweep(now + waited_s)
            closed.append(wire.closed)
        return closed

    assert run(main) == [False, True]


def test_thousands_of_idle_connections_leave_nothing_behind() -> None:
    async def main() -> int:
        service = Service(Echo(), LIMITS)
        connections = []
        for _ in range(5000):
            connection = Connection(service)
            connection.connection_made(Wire())  # type: ignore[arg-type]
            connections.append(connection)
        service.sweep(asyncio.get_running_loop().time() + 6)
        for connection in connections:
            connection.connection_lost(None)
        return len(service.connections)

    assert run(main) == 0


def test_while_stopping_what_began_is_owed_and_what_is_new_is_refused() -> None:
    async def main() -> tuple[list[bool], list[int], list[int]]:
        service, old, old_wire = connect(Echo())
        old.receive(ONE[:-9])
        service.stopping = True
        new, new_wire = Connection(service), Wire()
        new.connection_made(new_wire)  # type: ignore[arg-type]
        new.receive(ONE)
        owed = [old.owes, new.owes]
        old.receive(ONE[-9:])
        owed.append(old.owes)
        return owed, [each.status for each in old_wire.replies()], [each.status for each in new_wire.replies()]

    assert run(main) == ([True, False, False], [200], [503])


def test_a_stream_is_sent_as_it_comes() -> None:
    async def parts() -> AsyncGenerator[bytes, None]:
        for number in range(3):
            yield b"part %d;" % number
            await asyncio.sleep(0)

    async def main() -> Wire:
        _, connection, wire = connect(lambda exchange: exchange.reply(Answer(b"", stream=parts())))
        connection.receive(ONE)
        await turns()
        return wire

    (reply,) = run(main).replies()
    assert reply.headers["transfer-encoding"] == "chunked"
    assert reply.body == b"7\r\npart 0;\r\n7\r\npart 1;\r\n7\r\npart 2;\r\n0\r\n\r\n"


def test_a_stream_ends_with_its_client() -> None:
    ended: list[str] = []

    async def parts() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"more"
                await asyncio.sleep(0)
        finally:
            ended.append("ended")

    async def main() -> None:
        _, connection, _ = connect(lambda exchange: exchange.reply(Answer(b"", stream=parts())))
        connection.receive(ONE)
        await turns(5)
        connection.connection_lost(None)
        await turns()

    run(main)
    assert ended == ["ended"]


def test_answers_are_compressed_for_those_who_accept_it() -> None:
    import gzip
    import zlib

    plain = json.dumps(list(range(1000))).encode()

    async def main(accepted: str) -> Wire:
        _, connection, wire = connect(lambda exchange: exchange.reply(Answer(plain)))
        connection.receive(request_bytes("GET", "/", b"", {"accept-encoding": accepted}))
        return wire

    for accepted, unpack in (("gzip", gzip.decompress), ("br, deflate;q=0.5", zlib.decompress)):
        (reply,) = run(lambda accepted=accepted: main(accepted)).replies()  # type: ignore[misc]
        assert unpack(reply.body) == plain
        assert len(reply.body) < len(plain)
    for accepted in ("identity", "gzip;q=0", "br"):
        (reply,) = run(lambda accepted=accepted: main(accepted)).replies()  # type: ignore[misc]
        assert reply.body == plain
        assert "content-encoding" not in reply.headers
