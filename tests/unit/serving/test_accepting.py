"""Clients that wait are taken many at a time, and none when it is over."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import cast

import pytest
from tests.patience import PATIENCE_S

from glassworks.serving.codec.tensors import TensorLimits
from glassworks.serving.core.dispatcher import Dispatcher
from glassworks.serving.core.models import Models
from glassworks.serving.transports.accepting import accepting
from glassworks.serving.transports.grpc.frames import PREFACE
from glassworks.serving.transports.grpc.server import RpcServer
from glassworks.serving.transports.grpc.service import InferenceService
from glassworks.serving.transports.http.exchange import json_answer
from glassworks.serving.transports.http.limits import Limits
from glassworks.serving.transports.http.server import bind, listen
from glassworks.serving.transports.http.service import Service

CLIENTS = 160


def test_those_who_wait_are_taken_in_few_turns_of_the_loop() -> None:
    async def main() -> int:
        taken: list[asyncio.Transport] = []
        turns = 0

        class Taken(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                taken.append(cast(asyncio.Transport, transport))

        with bind("127.0.0.1", 0) as listening, contextlib.ExitStack() as clients:
            address = listening.getsockname()
            for _ in range(CLIENTS):
                clients.enter_context(socket.create_connection(address))
            held = await accepting(Taken, listening, None)
            while len(taken) < CLIENTS and turns < 10 * CLIENTS:
                await asyncio.sleep(0)
                turns += 1
            held.close()
            for each in taken:
                each.abort()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)
        return turns

    uvloop = pytest.importorskip("uvloop", reason="it is not made for Windows")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) <= CLIENTS / 4


def test_connections_of_both_ports_are_counted_together() -> None:
    """The files of the process are: those of one port must not leave the other one without."""

    async def main() -> list[bytes]:
        models, service = Models(), Service(lambda exchange: exchange.reply(json_answer({})), Limits())
        service.max_connections = 3
        http, grpc = bind("127.0.0.1", 0), bind("127.0.0.1", 0)
        rpc = RpcServer(InferenceService(Dispatcher(models), None, TensorLimits()), grpc, service)
        await rpc.start()
        held = await listen(service, http, None)
        told: list[bytes] = []
        clients = []
        for listening, words in ((grpc, PREFACE), (grpc, PREFACE), (http, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")) * 2:
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            writer.write(words)
            async with asyncio.timeout(PATIENCE_S):
                told.append(await (reader.read(12) if len(told) < 3 else reader.read()))
            clients.append(writer)
        for each in clients:
            each.close()
        held.close()
        await rpc.stop(1)
        models.close()
        return told

    told = asyncio.run(main())
    assert [b"too many connections are open" in each for each in told] == [False] * 3 + [True] * 3
