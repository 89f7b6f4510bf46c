"""Clients that wait are taken many at a time, and none when it is over."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from glassworks.serving.accepting import accepting
from glassworks.serving.http.server import bind

uvloop = pytest.importorskip("uvloop", reason="it is not made for Windows")
CLIENTS = 160


def test_those_who_wait_are_taken_in_few_turns_of_the_loop() -> None:
    async def main() -> int:
        loop, taken, turns = asyncio.get_running_loop(), [], 0

        class Taken(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                taken.append(transport)

        with bind("127.0.0.1", 0) as listening, contextlib.ExitStack() as clients:
            address = listening.getsockname()
            for _ in range(CLIENTS):
                clients.enter_context(socket.create_connection(address))
            held = await accepting(Taken, listening, None)
            while len(taken) < CLIENTS and turns < 10 * CLIENTS:
                await asyncio.sleep(0)
                turns += 1
            held.close()
            await loop.run_in_executor(None, lambda: None)
            for each in taken:
                each.abort()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)
        return turns

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) <= CLIENTS / 4
