"""Runs a service on sockets, and stops gracefully: what is in flight ends, then the process exits with 0."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, cast

from glassworks.errors import InputError, ServingError
from glassworks.serving.core.memory import keep_memory
from glassworks.serving.transports.accepting import BACKLOG, Accepting, accepting
from glassworks.serving.transports.http.connection import Connection
from glassworks.serving.transports.http.service import Service

_REASON = b'{"error":"too many connections are open; close some, or come back later"}'
_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
    b"retry-after: 1\r\nconnection: close\r\n\r\n%b" % (len(_REASON), _REASON)
)
_WITHOUT_LIMIT = 65_536
_OTHER_FILES = 256
"""Beside connections: models, logs, the registry, gRPC's connections."""
_SWEEP_S = 1.0
_LOOK_S = 0.02
_SWITCH_S = 0.00005
"""Python lets another thread run after this time; the default of 5 ms would make requests wait for explanations."""


class Companion(Protocol):
    """Something that runs beside the HTTP service on the same loop: gRPC, or the registry's follower."""

    async def start(self) -> None:
        """Begin."""

    async def stop(self, grace_s: float) -> None:
        """End within the grace; what is in flight ends first."""


def run(
    service: Service,
    listening: socket.socket,
    companions: Sequence[Companion] = (),
    tls: ssl.SSLContext | None = None,
    ready: Callable[[], None] = lambda: None,
    drain_s: float = 10.0,
) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is called once it answers. A second signal does not wait for anything."""
    # What is loaded by now stays; the garbage collector need not walk over it again and again.
    gc.freeze()
    keep_memory()
    sys.setswitchinterval(_SWITCH_S)
    service.max_connections = max(1, _files() - _OTHER_FILES)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(service, listening, companions, tls, ready, drain_s))


def _files() -> int:
    """How many files this process may have open: as many as the system lets it."""
    if sys.platform == "win32":
        return _WITHOUT_LIMIT
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WITHOUT_LIMIT if hard == resource.RLIM_INFINITY else min(hard, _WITHOUT_LIMIT)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return _WITHOUT_LIMIT if soft == resource.RLIM_INFINITY else soft


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ModuleNotFoundError:
        # It is not made for Windows.
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def _serve(
    service: Service,
    listening: socket.socket,
    companions: Sequence[Companion],
    tls: ssl.SSLContext | None,
    ready: Callable[[], None],
    drain_s: float,
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(service.supervisor.loop_failed)
    stopped, hurried = asyncio.Event(), asyncio.Event()

    def stop() -> None:
        (hurried if stopped.is_set() else stopped).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    for companion in companions:
        await companion.start()
    server = await listen(service, listening, tls)
    ready()
    await _until(stopped, service)
    # New requests are told to come back later while those in flight end.
    service.stopping = True
    ending = [asyncio.ensure_future(companion.stop(drain_s)) for companion in companions]
    await _drain(service, ending, hurried, drain_s)
    server.close()
    await _close_all(service, ending)


async def listen(service: Service, listening: socket.socket, tls: ssl.SSLContext | None) -> Accepting:
    """Take connections, as many as the service may have."""

    def connected() -> asyncio.BaseProtocol:
        return _Full() if service.full else Connection(service)

    # Until the end of its handshake a connection is not among those that the sweep looks at.
    handshake_s = service.limits.receive_s if tls is not None else None
    return await accepting(connected, listening, tls, handshake_s)


class _Full(asyncio.Protocol):
    """The end of a connection beyond those that there may be."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.WriteTransport, transport).write(_TOO_MANY)
        transport.close()


async def _until(stopped: asyncio.Event, service: Service) -> None:
    loop = asyncio.get_running_loop()
    while not stopped.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SWEEP_S):
                await stopped.wait()
        service.sweep(loop.time())


async def _drain(
    service: Service, ending: Sequence[asyncio.Future[None]], hurried: asyncio.Event, drain_s: float
) -> None:
    end = time.monotonic() + drain_s
    while time.monotonic() < end and not hurried.is_set():
        if all(task.done() for task in ending) and not any(each.owes for each in service.connections):
            break
        await asyncio.sleep(_LOOK_S)


async def _close_all(service: Service, ending: Sequence[asyncio.Future[None]]) -> None:
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
    for connection in list(service.connections):
        connection.close()
    # One turn of the loop, so that what was written is handed to the system.
    await asyncio.sleep(0)


def url(listening: socket.socket, host: str, secure: bool) -> str:
    """The address that clients use, with the real port."""
    name = f"[{host}]" if ":" in host else host
    return f"http{'s' if secure else ''}://{name}:{listening.getsockname()[1]}"


def bind(host: str, port: int, option: str = "--port") -> socket.socket:
    """A bound socket. Raises ServingError with the next free port as its mend."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        reason, mend = str(error), "give an address of this machine, such as 127.0.0.1, and a port above 1023"
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            reason, mend = "the port is in use", f"give another port; one that is free: {option} {_free_port(host)}"
        raise ServingError(f"cannot listen on {host}:{port}: {reason}", mend) from None


def _free_port(host: str) -> int:
    with bind(host, 0) as probe:
        return int(probe.getsockname()[1])


def secure_context(certificate: Path, key: Path, protocol: str) -> ssl.SSLContext:
    """TLS 1.2 or newer for `http/1.1` or `h2`, with a certificate chain and its key, PEM files. Raises InputError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([protocol])
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise InputError(
            f"the certificate {certificate} with the key {key} cannot be used: {error.strerror or error}",
            "give PEM files of one pair that this user may read: --tls-certificate FILE --tls-key FILE",
        ) from None
    return context
