"""One connection whose client means harm, or reads nothing, or leaves in the middle: what it costs is bounded."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.serving.test_connection import LIMITS, ONE, Echo, connect, run, turns
from tests.unit.serving.wire import Wire, request_bytes

from glassworks.serving.transports.http.connection import Connection
from glassworks.serving.transports.http.exchange import Exchange, json_answer
from glassworks.serving.transports.http.limits import Limits
from glassworks.serving.transports.http.service import Service

LARGE = 300_000
CLIENTS = 200
LARGEST = Limits(max_body_bytes=2**20, max_receiving_bytes=2**28)
MANY = Limits(max_body_bytes=LARGE, max_receiving_bytes=2 * LARGE, receive_s=2, idle_s=5)


def head(length: int, more: str = "") -> bytes:
    return f"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{more}\r\n".encode()


def poured(connection: Connection, content: bytes) -> None:
    """As the loop reads it: in pieces of what the connection lends."""
    while content and not connection._transport.paused:  # type: ignore[attr-defined]
        room = connection.get_buffer(-1)
        piece, content = content[: len(room)], content[len(room) :]
        room[: len(piece)] = piece
        connection.buffer_updated(len(piece))


def test_nothing_is_kept_before_bytes_come_and_all_of_it_is_counted() -> None:
    async def main() -> list[int]:
        service = Service(Echo(), MANY)
        told, connections = [], []
        for _ in range(50):
            connection = Connection(service)
            connection.connection_made(Wire())  # type: ignore[arg-type]
            connection.receive(head(LARGE))
            connections.append(connection)
        told.append(sum(each._reader.kept_bytes for each in connections) + service.receiving.total_bytes)
        poured(connections[0], bytes(200_000))
        told.append(service.receiving.total_bytes)
        poured(connections[0], bytes(100_000))
        told.append(service.receiving.total_bytes)
        return told

    nothing, some, whole = run(main)
    assert nothing == whole == 0
    assert 200_000 - 65_536 <= some <= 200_000


def test_who_keeps_most_gives_up_when_all_keep_too_much() -> None:
    async def main() -> tuple[list[Wire], Service]:
        service, wires, connections = Service(Echo(), MANY), [], []
        for size in (290_000, 150_000, 280_000):
            connection, wire = Connection(service), Wire()
            connection.connection_made(wire)  # type: ignore[arg-type]
            connection.receive(head(LARGE))
            poured(connection, bytes(size))
            wires.append(wire)
            connections.append(connection)
        poured(connections[1], bytes(LARGE - 150_000))
        for connection in connections:
            connection.connection_lost(None)
        return wires, service

    wires, service = run(main)
    assert [[reply.status for reply in wire.replies()] for wire in wires] == [[503], [200], []]
    assert wires[0].replies()[0].headers["retry-after"]
    assert wires[0].over
    assert service.receiving.total_bytes == 0


def test_bodies_that_wait_their_turn_stay_counted() -> None:
    async def main() -> tuple[list[int], Wire]:
        echo = Echo(wait=True)
        service, connection, wire = connect(echo, MANY)
        poured(connection, ONE + 2 * (head(100_000) + bytes(100_000)))
        counted = [service.receiving.total_bytes]
        while echo.waiting:
            echo.answer(echo.waiting.pop())
            await turns(3)
            counted.append(service.receiving.total_bytes)
        return counted, wire

    counted, wire = run(main)
    assert counted[0] >= 200_000 - 65_536
    assert counted == sorted(counted, reverse=True)
    assert counted[-1] == 0
    assert [reply.json["bytes"] for reply in wire.replies()] == [300, 100_000, 100_000]


@pytest.mark.parametrize("each", [b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", ONE])
def test_of_many_pipelined_requests_one_is_begun_a_turn(each: bytes) -> None:
    async def main() -> tuple[list[int], Wire, int]:
        begun, in_this_turn = [0], []

        def answer(exchange: Exchange) -> None:
            begun[0] += 1
            exchange.reply(json_answer({}))

        service, connection, wire = connect(answer)
        rest, longest = each * 400, 0
        while rest or connection.owes:
            before = begun[0]
            if rest and not wire.paused:
                room = connection.get_buffer(-1)
                room[: len(rest[: len(room)])] = rest[: len(room)]
                connection.buffer_updated(len(rest[: len(room)]))
                rest = rest[len(room) :]
            in_this_turn.append(begun[0] - before)
            longest = max(longest, service.receiving.total_bytes)
            before = begun[0]
            await asyncio.sleep(0)
            in_this_turn.append(begun[0] - before)
        return in_this_turn, wire, longest

    in_this_turn, wire, longest = run(main)
    assert sum(in_this_turn) == len(wire.replies()) == 400
    assert max(in_this_turn) == 1
    assert longest <= 1_200_000  # one read of the smallest requests


def test_a_head_is_measured_alone() -> None:
    async def main() -> Wire:
        _, connection, wire = connect(Echo())
        second = b"GET /second HTTP/1.1\r\nhost: x\r\nlong: " + b"v" * 1500
        connection.receive(head(60_000) + bytes(60_000) + second[:300])
        connection.receive(second[300:] + b"\r\n\r\n")
        connection.receive(second[:1000])
        connection.receive(second[1000:] + b"\r\n\r\n")
        await turns()
        return wire

    assert [reply.status for reply in run(main).replies()] == [200, 200, 200]


CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"GET / HTTP/1.1\r\nhost: x\r\nendless: ", b"v" * 900),
        (b"GET /", b"p" * 900),
        (CHUNKED + b"0\r\nendless: ", b"v" * 900),
        (CHUNKED + b"0\r\n", b"a: b\r\n" * 150),
        (CHUNKED + b"5;", b"e" * 900),
    ],
    ids=["header", "target", "trailer", "trailers", "extension"],
)
def test_what_has_no_end_is_ended(begin: bytes, more: bytes) -> None:
    async def main() -> int:
        _, connection, wire = connect(Echo())
        connection.receive(begin)
        for count in range(100):
            connection.receive(more)
            if wire.over:
                assert [reply.status for reply in wire.replies()] == [431]
                return count
        raise AssertionError("it is still read")

    assert run(main) <= 3  # times 900 bytes, of which 2000 are allowed


@pytest.mark.parametrize(("count", "status"), [(5, 200), (30, 431)])
def test_trailers_are_bounded_and_never_become_headers(count: int, status: int) -> None:
    got: list[dict[bytes, bytes]] = []

    async def main() -> Wire:
        def keep(exchange: Exchange) -> None:
            got.append(dict(exchange.headers))
            exchange.reply(json_answer({}))

        _, connection, wire = connect(keep)
        trailers = b"authorization: Bearer other\r\nhost: other\r\n" + b"a: b\r\n" * count
        connection.receive(CHUNKED[:-2] + b"authorization: Bearer own\r\n\r\n1\r\nx\r\n0\r\n" + trailers + b"\r\n")
        return wire

    assert [reply.status for reply in run(main).replies()] == [status]
    assert [(each[b"authorization"], each[b"host"]) for each in got] == [(b"Bearer own", b"x")] * (status == 200)
    assert not any(b"a" in each for each in got)


@pytest.mark.parametrize(
    ("content", "statuses"),
    [
        (b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n", [501]),
        (b"GET / HTTP/1.1\r\nhost: a\r\nupgrade: q\r\nconnection: upgrade\r\n\r\n" * 500, [200] * 500),
        (
            b"POST / HTTP/1.1\r\nhost: a\r\nupgrade: q\r\nconnection: upgrade, close\r\ncontent-length: 1\r\n\r\nx",
            [200],
        ),
    ],
    ids=["connect", "many", "close"],
)
def test_other_protocols_are_declined_without_depth(content: bytes, statuses: list[int]) -> None:
    async def main() -> Wire:
        _, connection, wire = connect(Echo())
        connection.receive(content)
        await turns(2 * len(statuses))
        return wire

    wire = run(main)
    assert [reply.status for reply in wire.replies()] == statuses
    assert wire.over == (len(statuses) == 1)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: u@a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost:\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\n\r\n", 200),
        (b"GET / HTTP/2.0\r\nhost: a\r\n\r\n", 505),
        (b"GET / HTTP/2.0\r\nhost: a\r\nconnection: keep-alive\r\n\r\n", 505),
        (b"GET /\r\n\r\n", 505),
        (b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"GET * HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n", 200),
        (b"GET ftp://a/ HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"GET http://u@a/ HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nauthorization: Bearer 1\r\nauthorization: Bearer 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\nexpect: a-miracle\r\ncontent-length: 1\r\n\r\n", 417),
    ],
)
def test_rules_of_the_head(content: bytes, status: int) -> None:
    async def main() -> Wire:
        _, connection, wire = connect(Echo())
        connection.receive(content)
        return wire

    wire = run(main)
    assert [reply.status for reply in wire.replies()] == [status]
    assert wire.over == (status != 200 or b"1.0" in content)


def test_the_host_of_a_whole_url_counts_and_repeated_headers_are_joined() -> None:
    got: list[dict[bytes, bytes]] = []

    async def main() -> None:
        def keep(exchange: Exchange) -> None:
            got.append(dict(exchange.headers))
            exchange.reply(json_answer({}))

        _, connection, _ = connect(keep)
        connection.receive(b"GET http://told:8/a HTTP/1.1\r\nhost: other\r\na: 1 \t\r\nb: 2\r\nA: 3\r\n\r\n")

    run(main)
    assert got == [{b"host": b"told:8", b"a": b"1, 3", b"b": b"2"}]


def test_in_a_crowd_heaps_are_looked_at_in_turns() -> None:
    async def main() -> tuple[list[int], list[list[str]], Service]:
        service, connections, wires = Service(Echo(), LIMITS), [], []
        for _ in range(3):
            connection, wire = Connection(service), Wire()
            connection.connection_made(wire)  # type: ignore[arg-type]
            connections.append(connection)
            wires.append(wire)
        looked_at = []
        for each in connections:
            poured(each, b"".join(request_bytes("GET", f"/{number}", b"", {}) for number in range(300)))
            looked_at.append(service.turns.requests)
        await turns(1500)
        return looked_at, [[reply.json["target"] for reply in wire.replies()] for wire in wires], service

    (first, second, third), answered, service = run(main)
    assert first == 299
    assert max(second - first, third - second) < 30
    assert answered == [[f"/{number}" for number in range(300)]] * 3
    assert service.turns.requests == 0


def test_who_leaves_a_crowd_is_not_counted_any_more() -> None:
    async def main() -> int:
        service, connection, _ = connect(Echo(wait=True))
        poured(connection, ONE * 10)
        assert service.turns.requests == 9
        connection.connection_lost(None)
        return service.turns.requests

    assert run(main) == 0


def test_what_a_thousand_clients_send_at_once_is_not_read_in_one_turn() -> None:
    """Each has as much as there is to send, as the loop would read it: until the connection says to stop."""

    async def main() -> tuple[list[int], list[bytes]]:
        service, limits = Service(Echo(), LARGEST), LARGEST.max_body_bytes
        wires, left = [Wire() for _ in range(CLIENTS)], [limits - 1] * CLIENTS
        connections = [Connection(service) for _ in wires]
        for connection, wire in zip(connections, wires, strict=True):
            connection.connection_made(wire)  # type: ignore[arg-type]
            connection.receive(head(limits) + bytes(1))
        read = []
        while any(left):
            before = sum(left)
            for place, connection in enumerate(connections):
                while left[place] and not wires[place].paused:
                    size = min(left[place], len(connection.get_buffer(-1)))
                    connection.buffer_updated(size)
                    left[place] -= size
            read.append(before - sum(left))
            await asyncio.sleep(0)
        await turns()
        return read, [bytes(wire.written[:12]) for wire in wires]

    read, answers = run(main)
    assert max(read) <= 2 * 2**20 + CLIENTS * 16_384
    assert max(read[1:]) <= 2 * 2**20
    assert answers == [b"HTTP/1.1 200"] * CLIENTS
