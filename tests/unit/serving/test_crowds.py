"""Many clients at once, or one with many wishes: turns of the event loop and memory stay bounded."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.unit.serving.frames import PATH, Client, Wire, run

from glassworks.serving.app import Application, Route
from glassworks.serving.transports.grpc.connection import Connection
from glassworks.serving.transports.grpc.frames import PREFACE, Kind, frame, settings
from glassworks.serving.transports.grpc.methods import Method
from glassworks.serving.transports.http.exchange import Answer, Exchange, json_answer
from glassworks.serving.transports.http.limits import Limits


async def never(request: bytes, sent: Any) -> bytes:
    await asyncio.sleep(1000)
    return request


def test_what_many_clients_send_at_once_is_not_read_in_one_turn() -> None:
    """Each sends a quarter of a message on each of its streams until the connection says to stop."""

    async def main() -> tuple[list[int], int]:
        first, promised = (
            Client({PATH: Method(read=bytes, write=bytes, unary=never)}, Limits(max_body_bytes=1_000_000)),
            b"\0" + (500_000).to_bytes(4, "big"),
        )
        connections = [Connection(first.calls) for _ in range(200)]
        wires, begun = [Wire() for _ in connections], first.headers()
        for connection, wire in zip(connections, wires, strict=True):
            connection.connection_made(wire)  # type: ignore[arg-type]
            connection.data_received(PREFACE + settings(()) + begun + frame(Kind.DATA, 0, 1, promised))
        part = frame(Kind.DATA, 0, 1, bytes(16_380))
        left = [3] * len(connections)
        read: list[int] = []
        while any(left) and len(read) < 1000:
            before = sum(left)
            for place, connection in enumerate(connections):
                while left[place] and not wires[place].paused:
                    connection.data_received(part)
                    left[place] -= 1
            read.append(before - sum(left))
            await asyncio.sleep(0)
        return read, sum(wire.paused for wire in wires)

    read, paused = run(main)
    assert max(read) <= 2**20 // 16_384 + 200  # who finds that it is over has read a part by then
    assert max(read[2:]) <= 2**20 // 16_384 + 8
    assert not paused


def test_long_paths_of_clients_are_not_remembered() -> None:
    application = Application([Route("/live", {"GET": lambda exchange: json_answer({})})])
    for number in range(50):
        exchange = Exchange("GET", b"/live?%d" % number + b"x" * 20_000, {}, b"")
        told: list[Answer] = []
        exchange.reply = told.append
        application(exchange)
        assert told[0].status == 200
    assert sum(map(len, application._found)) < 50 * 256
