"""Frames by chance, from a seed: whatever comes, nothing fails, and nothing is kept of a client that has left."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from tests.unit.serving.frames import PATH, Client, echo, framed, run
from tests.unit.serving.test_rpc_times import shout

from glassworks.serving.transports.grpc.frames import PREFACE, Kind, frame, settings
from glassworks.serving.transports.grpc.methods import Method
from glassworks.serving.transports.http.limits import Limits

CONNECTIONS, FRAMES, MOST = 150, 40, 300_000
STREAMED, DIRECT = b"/test/Stream", b"/test/Direct"


def direct(request: bytes, sent: Any, answer: Any, fail: Any) -> None:
    answer(request)


def a_frame(client: Client, chance: random.Random) -> bytes:
    stream = max(1, chance.choice([client.stream, client.stream, client.stream - 2, 1, 2]))
    kind = chance.randrange(10)
    if kind < 3:
        more = chance.choice([{}, {}, {"grpc_timeout": "1m"}, {"grpc_timeout": "x"}, {"grpc_encoding": "gzip"}])
        path = chance.choice([PATH, STREAMED, DIRECT, b"/none"])
        made = client.headers(path, chance.choice([4, 4, 4, 5, 0]), **more)
    elif kind < 6:
        content = chance.choice([
            framed(bytes(chance.randrange(100))), framed(bytes(60_000)), framed(bytes(200_000))[:60_000],
            bytes(chance.randrange(20_000)), framed(b"abc", 1), b"",
        ])  # fmt: skip
        made = frame(Kind.DATA, chance.choice([0, 0, 1, 8, 9]), stream, content)
    else:
        content = chance.randbytes(chance.choice([0, 4, 4, 5, 6, 8, 8]))
        flags = chance.choice([0, 1, 4, 5, 8, 0x20])
        made = len(content).to_bytes(3, "big") + bytes([chance.randrange(11), flags])
        made += stream.to_bytes(4, "big") + content
    if chance.random() < 0.05:
        place = chance.randrange(len(made))
        made = made[:place] + chance.randbytes(1) + made[place + 1 :]
    return made


async def one_client(chance: random.Random) -> Client:
    methods = {
        PATH: Method(read=bytes, write=bytes, unary=echo),
        STREAMED: Method(read=bytes, write=bytes, streamed=shout),
        DIRECT: Method(read=bytes, write=bytes, direct=direct),
    }
    client = Client(methods, Limits(max_body_bytes=MOST, max_receiving_bytes=500_000))
    connection = client.connection
    connection.data_received(PREFACE + settings([]))
    for now in range(chance.randrange(FRAMES)):
        made = a_frame(client, chance)
        cut = chance.randrange(len(made) + 1)
        connection.data_received(made[:cut])
        connection.data_received(made[cut:])
        match chance.randrange(20):
            case 0:
                connection.pause_writing()
            case 1:
                connection.resume_writing()
            case 2:
                connection.expire(20.0 * now)
            case each if each < 10:
                await asyncio.sleep(0)
    connection.connection_lost(None)
    for _ in range(5):
        await asyncio.sleep(0)
    return client


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_fails_and_nothing_stays(seed: int) -> None:
    async def main() -> None:
        chance, failed = random.Random(seed), []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: failed.append(context))
        for _ in range(CONNECTIONS):
            client = await one_client(chance)
            calls = client.calls
            assert not calls.supervisor.troubles
            assert (calls.receiving.total_bytes, len(calls._tasks), len(calls.connections)) == (0, 0, 0)
            assert client.connection._intake._room == MOST
        assert not failed

    run(main)
