"""Runs the application on a socket, and stops gracefully: what is in flight ends, then the process exits with 0."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn

from glassworks.errors import ServingError
from glassworks.serving.app import Application
from glassworks.serving.engine import Engine

_BACKLOG = 2048
_DRAIN_S = 10


def serve(
    engine: Engine, *, host: str, port: int, max_body_bytes: int, ready: Callable[[str], None], drain_s: int = _DRAIN_S
) -> None:
    """Serve until SIGTERM or SIGINT. `ready` is told the URL, with the real port where `port` is 0.

    Raises ServingError when the address cannot be used.
    """
    listening = bind(host, port)
    # What is loaded by now stays; the garbage collector need not walk over it again and again.
    gc.freeze()
    config = uvicorn.Config(
        Application(engine, max_body_bytes),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=drain_s,
    )
    name = f"[{host}]" if ":" in host else host
    url = f"http://{name}:{listening.getsockname()[1]}"
    try:
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(_Server(config, lambda: ready(url)).serve(sockets=[listening]))
    finally:
        listening.close()
        engine.close()


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ServingError with the next free port as its mend."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        reason, mend = str(error), "give an address of this machine, such as 127.0.0.1, and a port above 1023"
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            reason, mend = "the port is in use", f"give another port; one that is free: --port {_free_port(host)}"
        raise ServingError(f"cannot listen on {host}:{port}: {reason}", mend) from None


def _free_port(host: str) -> int:
    with bind(host, 0) as probe:
        return int(probe.getsockname()[1])


class _Server(uvicorn.Server):
    """Uvicorn's server, which ends with exit code 0 on a signal and tells when it is up."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Uvicorn raises the signal again after the shutdown, which would make a graceful stop look like a failure.
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield
