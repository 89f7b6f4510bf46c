"""Takes connections as fast as clients come, however long the loop's turns are."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence

BACKLOG = 2048
_AT_ONCE = 16


class Accepting:
    """Listens on a socket until closed."""

    def __init__(self, servers: Sequence[asyncio.Server]) -> None:
        self._servers = servers

    def close(self) -> None:
        """Take no more; connections that are open stay."""
        for server in self._servers:
            server.close()


async def accepting(
    connected: Callable[[], asyncio.BaseProtocol],
    listening: socket.socket,
    tls: ssl.SSLContext | None,
    handshake_s: float | None = None,
) -> Accepting:
    """Listen on a bound socket.

    libuv takes one connection per turn of its loop and listening handle. Where each turn answers who came before, a
    health check would wait as many turns as there are clients before it, so that one queue has several handles. The
    loop of asyncio takes all who wait.
    """
    loop = asyncio.get_running_loop()
    libuv = type(loop).__module__.startswith("uvloop")
    sockets = [listening, *(listening.dup() for _ in range(_AT_ONCE - 1 if libuv else 0))]
    servers = [
        await loop.create_server(connected, sock=each, ssl=tls, backlog=BACKLOG, ssl_handshake_timeout=handshake_s)
        for each in sockets
    ]
    return Accepting(servers)
