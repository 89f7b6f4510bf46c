"""Requests that were mutated by structure, in pieces of any size: whatever comes, nothing fails and nothing is kept."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest
from tests.unit.serving.test_connection import Echo, run, turns
from tests.unit.serving.wire import Wire

from glassworks.conformance.checks.http1 import CASES
from glassworks.serving.transports.http.connection import Connection
from glassworks.serving.transports.http.limits import Limits
from glassworks.serving.transports.http.service import Service

LIMITS = Limits(max_body_bytes=5000, max_header_bytes=2000, max_headers=20, max_receiving_bytes=100_000)
SENT = [b"".join(case.sends).replace(b"{host}", b"x:80") for case in CASES if not case.bodiless]
SEEDS = [content for content in SENT if len(content) < 3000]
WORDS = (
    *(b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"0\r\n\r\n", b"\0", b" ", b":", b"ffffffff", b"HTTP/1.1", b"a" * 6000),
    *(b"content-length: 5\r\n", b"transfer-encoding: chunked\r\n", b"expect: 100-continue\r\n", b"\xff" * 3000),
    *(b"upgrade: websocket\r\nconnection: upgrade\r\n", b"content-encoding: gzip\r\n"),
    b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
)


def mutated(chance: random.Random) -> bytes:
    content = bytearray(b"".join(chance.choices(SEEDS, k=chance.randint(1, 4))))
    for _ in range(chance.randint(0, 6)):
        place = chance.randrange(len(content) + 1)
        end = min(len(content), place + chance.randint(0, 40))
        match chance.randrange(4):
            case 0:
                content[place:place] = chance.choice(WORDS)
            case 1:
                content[place:end] = chance.choice(WORDS)
            case 2:
                del content[place:end]
            case _:
                content[place:place] = content[place:end] * chance.randint(1, 60)
    return bytes(content)


async def talk(service: Service, content: bytes, chance: random.Random) -> Wire:
    """All of it, as the loop would read it, and what it does in between."""
    connection, wire = Connection(service), Wire()
    connection.connection_made(wire)  # type: ignore[arg-type]
    while content and not wire.closed:
        if not wire.paused:
            room = connection.get_buffer(-1)[: chance.choice((1, 7, 100, 20_000))]
            size = min(len(room), len(content))
            room[:size], content = content[:size], content[size:]
            connection.buffer_updated(size)
        event = chance.randrange(30)
        if event == 0:
            connection.pause_writing()
            connection.resume_writing()
        elif event == 1:
            service.sweep(asyncio.get_running_loop().time())
        await asyncio.sleep(0)
    await turns(5)
    if chance.randrange(2):
        connection.eof_received()
        await turns(5)
    connection.connection_lost(None)
    return wire


def wrong(service: Service, wire: Wire) -> Sequence[object]:
    """What must never be."""
    kept = (service.receiving.total_bytes, service.turns.requests, len(service.connections))
    statuses = {reply.status for reply in wire.replies()} - {100, 200, 400, 408, 413, 417, 431, 501, 505}
    return [
        *service.supervisor.troubles.items(),
        *statuses,
        *(kept if any(kept) else ()),
        *([1] if wire.aborted else []),
    ]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_nothing_fails_and_nothing_is_kept(seed: int) -> None:
    async def main() -> list[tuple[bytes, object]]:
        chance, found = random.Random(seed), []
        for _ in range(400):
            service, content = Service(Echo(), LIMITS), mutated(chance)
            wire = await talk(service, content, chance)
            found += [(content, each) for each in wrong(service, wire)]
        return found

    assert run(main) == []
