"""How a connection ends: who is refused, leaves, or reads nothing, and that answers which are owed are sent."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import AsyncGenerator, Callable

import pytest
from tests.patience import PATIENCE_S
from tests.unit.serving.test_connection import LIMITS, ONE, Echo, connect, run, turns
from tests.unit.serving.test_hostile_connection import CHUNKED, MANY, head
from tests.unit.serving.wire import Wire, request_bytes

from glassworks.serving.app import Application, Route
from glassworks.serving.transports.http.connection import Connection
from glassworks.serving.transports.http.exchange import Answer, Exchange, json_answer
from glassworks.serving.transports.http.service import Service


@pytest.mark.parametrize(
    ("content", "asked"),
    [
        (head(10), 0),
        (head(65_537), 1),
        (head(10, "expect: 100-continue\r\n"), 1),
        (head(10, "content-encoding: gzip\r\n"), 1),
        (CHUNKED, 1),
    ],
    ids=["small", "large", "expect", "packed", "chunked"],
)
def test_who_may_not_is_told_so_before_a_body_is_read(content: bytes, asked: int) -> None:
    async def main() -> tuple[int, Wire]:
        count = [0]

        def refused(exchange: Exchange) -> Answer:
            count[0] += 1
            assert exchange.target == b"/"
            assert exchange.headers[b"host"] == b"x"
            return json_answer({"error": "no"}, 401)

        service, connection, wire = connect(Echo(), MANY)
        service.refused = refused
        connection.receive(content)
        return count[0], wire

    count, wire = run(main)
    assert count == asked
    assert [reply.status for reply in wire.replies()] == [401] * asked
    assert wire.over == bool(asked)


def test_an_answer_that_refuses_is_sent_while_the_client_still_sends() -> None:
    async def main() -> tuple[Wire, bool]:
        service, connection, wire = connect(Echo())
        connection.receive(head(LIMITS.max_body_bytes + 1))
        assert (wire.ended, wire.closed, wire.paused) == (True, False, False)
        connection.receive(bytes(60_000))  # dropped
        kept = connection.eof_received()
        service.sweep(asyncio.get_running_loop().time() + 2.5)
        return wire, kept

    wire, kept = run(main)
    assert [reply.status for reply in wire.replies()] == [413]
    assert not kept
    assert wire.aborted


def test_who_waits_to_be_asked_for_a_body_is_asked_behind_the_answers_that_are_owed() -> None:
    async def main() -> bytes:
        echo = Echo(wait=True)
        _, connection, wire = connect(echo)
        connection.receive(ONE + head(2, "expect: 100-continue\r\n"))
        assert not wire.written
        echo.answer(echo.waiting.pop())
        return bytes(wire.written)

    assert run(main).endswith(b"}HTTP/1.1 100 Continue\r\n\r\n")


def test_a_half_closed_client_gets_its_answers() -> None:
    async def main() -> tuple[Wire, list[bool]]:
        echo = Echo(wait=True)
        _, connection, wire = connect(echo)
        connection.receive(ONE + ONE + ONE[:50])
        kept = [connection.eof_received()]
        for _ in range(2):  # whoever left altogether is found out by the second one
            wire.written.clear()
            wire.changed.clear()
            await asyncio.wait_for(wire.changed.wait(), PATIENCE_S)
            assert bytes(wire.written) == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.written.clear()
        while echo.waiting:
            assert not wire.closed
            echo.answer(echo.waiting.pop())
            await turns(3)
        _, idle, _ = connect(Echo())
        kept.append(idle.eof_received())
        return wire, kept

    wire, kept = run(main)
    assert [reply.status for reply in wire.replies()] == [200, 200]
    assert wire.closed
    assert kept == [True, False]


def test_nothing_is_begun_for_a_client_that_does_not_read() -> None:
    async def main() -> list[int]:
        begun = [0]

        def answer(exchange: Exchange) -> None:
            begun[0] += 1
            exchange.reply(json_answer({}))
            connection.pause_writing()

        _, connection, wire = connect(answer)
        connection.receive(ONE * 10)
        counts = []
        for _ in range(3):
            await turns(5)
            counts.append(begun[0])
            assert wire.paused
            connection.resume_writing()
        return counts

    assert run(main) == [1, 2, 3]


@pytest.mark.parametrize(("taken", "cut"), [(10_000, True), (100_000, False)])
def test_who_reads_slowly_is_not_cut_off_and_who_reads_next_to_nothing_is(taken: int, cut: bool) -> None:
    async def main() -> Wire:
        service, connection, wire = connect(Echo())
        now = asyncio.get_running_loop().time()
        wire.unsent = 1_000_000
        connection.pause_writing()
        for second in range(1, 5):
            wire.unsent -= taken
            service.sweep(now + second)
        return wire

    assert run(main).aborted == cut


async def failing() -> AsyncGenerator[bytes, None]:
    yield b"part"
    raise ValueError("the source is gone")


def test_a_stream_that_fails_is_cut_off_logged_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> tuple[Wire, Service]:
        service, connection, wire = connect(lambda exchange: exchange.reply(Answer(b"", stream=failing())))
        connection.receive(ONE)
        await turns()
        return wire, service

    with caplog.at_level(logging.ERROR):
        wire, service = run(main)
    assert wire.aborted
    assert not wire.written.endswith(b"0\r\n\r\n")
    assert service.supervisor.troubles["streamed answer"].last == "ValueError: the source is gone"
    assert "the source is gone" in caplog.text


def test_a_stream_to_an_old_client_has_no_chunks() -> None:
    async def parts() -> AsyncGenerator[bytes, None]:
        yield b"a"
        yield b"b"

    async def main() -> Wire:
        _, connection, wire = connect(lambda exchange: exchange.reply(Answer(b"", stream=parts())))
        connection.receive(b"GET / HTTP/1.0\r\n\r\n")
        await turns()
        return wire

    wire = run(main)
    assert b"transfer-encoding" not in wire.written
    assert wire.written.endswith(b"\r\n\r\nab")
    assert wire.closed


def raising(exchange: Exchange) -> None:
    raise ValueError("nobody foresaw it")


def unwritable(exchange: Exchange) -> None:
    exchange.reply(Answer(b"", status=299))


@pytest.mark.parametrize("answer", [raising, unwritable])
def test_who_cannot_be_answered_is_cut_off(answer: Callable[[Exchange], None]) -> None:
    async def main() -> tuple[Wire, Service]:
        service, connection, wire = connect(answer)
        connection.receive(ONE)
        return wire, service

    wire, service = run(main)
    assert wire.aborted
    assert service.supervisor.troubles["answering"].failures == 1


def test_what_fails_when_a_client_leaves_does_not_keep_the_others_from_hearing_of_it() -> None:
    async def main() -> tuple[list[str], Service]:
        echo, heard = Echo(wait=True), []
        service, connection, _ = connect(echo)
        connection.receive(ONE)
        (exchange,) = echo.waiting
        exchange.on_gone = lambda: 1 / 0
        connection.connection_lost(None)
        heard.append("lost")
        return heard, service

    heard, service = run(main)
    assert heard == ["lost"]
    assert not service.connections
    assert service.supervisor.troubles["work for a client that left"].failures == 1


def test_every_answer_has_a_date() -> None:
    async def main() -> Wire:
        _, connection, wire = connect(Echo())
        connection.receive(ONE)
        return wire

    assert run(main).replies()[0].headers["date"].endswith(" GMT")


def test_requests_of_one_kind_leave_no_cycles_behind() -> None:
    import gc

    async def main() -> int:
        service = Service(Echo(), LIMITS)
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                connection = Connection(service)
                connection.connection_made(Wire())  # type: ignore[arg-type]
                connection.receive(request_bytes("GET", "/", b"", {}) * 3)
                await turns(5)
                connection.connection_lost(None)
            del connection
            # Not `isinstance`: it asks lazy objects of other libraries for their class, and some of them warn.
            return sum(type(each) is Connection for each in gc.get_objects())
        finally:
            gc.enable()

    assert run(main) == 0


@pytest.mark.parametrize("more", ["", "connection: close\r\n"])
def test_an_answer_is_owed_until_the_client_has_taken_it(more: str) -> None:
    """A service that is told to stop would cut it off."""

    async def main() -> tuple[bool, bool, bool]:
        service, connection, wire = connect(Echo())
        connection.receive(f"GET / HTTP/1.1\r\nhost: x\r\n{more}\r\n".encode())
        await turns()
        service.stopping, wire.unsent = True, 100_000
        unsent = connection.owes
        wire.unsent = 0
        return bool(wire.replies()), unsent, connection.owes

    assert run(main) == (True, True, False)


class Kept(bytearray):
    """A body of which it can be told whether it is still kept."""


def test_a_body_is_freed_with_its_client_and_does_not_wait_for_the_garbage_collector() -> None:
    async def main() -> bool:
        async def work(exchange: Exchange) -> None:
            await asyncio.sleep(1000)
            exchange.reply(json_answer({}))

        application = Application([Route("/", {"POST": work})])
        exchange = Exchange("POST", b"/", {}, b"")
        exchange.body = Kept(1000)
        body = weakref.ref(exchange.body)
        exchange.reply = lambda answer: None
        application(exchange)
        await asyncio.sleep(0)
        exchange.leave()
        await turns()
        del exchange
        return body() is None

    gc.disable()
    try:
        assert run(main)
    finally:
        gc.enable()
