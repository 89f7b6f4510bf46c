"""Puts the service together from its settings, and runs it."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glassworks.config import ServingConfig
from glassworks.errors import GlassworksError, InputError
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.gate import Gate
from glassworks.serving.access.keys import KeyStore
from glassworks.serving.access.ledger import Ledger
from glassworks.serving.access_log import AccessLog
from glassworks.serving.app import Application
from glassworks.serving.desk import Desk
from glassworks.serving.engine import Engine
from glassworks.serving.http.limits import Limits
from glassworks.serving.http.server import Companion, bind, run, secure_context, url
from glassworks.serving.http.service import Service
from glassworks.serving.memory import GivingBack
from glassworks.serving.metrics import Metrics
from glassworks.serving.model import Batching
from glassworks.serving.repository import Repository
from glassworks.serving.routes import routes, streams
from glassworks.serving.supervision import Supervisor
from glassworks.serving.tensors import TensorLimits
from glassworks.serving.traffic import parse_traffic

if TYPE_CHECKING:
    from glassworks.registry import Registry
    from glassworks.serving.rpc.server import RpcServer

_FOLD_S = 60.0
_LAST_PORT = 65_535
_log = logging.getLogger("glassworks.serving")


@dataclass(frozen=True, kw_only=True)
class Running:
    """Where the service answers, and what. `grpc` is an address `host:port`, or None."""

    url: str
    grpc: str | None
    models: Sequence[str]
    keys: bool


def serve(
    config: ServingConfig, registry: Registry, references: Sequence[str], ready: Callable[[Running], None]
) -> None:
    """Serve models until SIGTERM or SIGINT; all of the registry's without references.

    Raises NotFound, BundleError, InputError and ServingError before anything is served.
    """
    tls = _tls(config, "http/1.1")
    listening = bind(config.host, config.port)
    batching = Batching(max_rows=config.max_batch, max_queue=config.max_queue)
    engine = Engine(batching, config.explain_in, registry.home, Supervisor())
    with contextlib.closing(listening), contextlib.closing(engine):
        repository = Repository(engine, registry, config.watch)
        repository.open(references or registry.models())
        for split in config.traffic:
            _direct(engine, split)
        desk, folding = _desk(config, engine, registry.home)
        service = _service(config, desk, repository)
        rpc = _rpc(config, desk, repository, int(listening.getsockname()[1])) if config.grpc else None
        companions: list[Companion] = [repository, *folding, *([rpc] if rpc is not None else [])]
        companions += _observers(desk, service, config)

        def up() -> None:
            address = f"{config.host}:{rpc.port}" if rpc is not None else None
            where = url(listening, config.host, tls is not None)
            ready(Running(url=where, grpc=address, models=list(engine.names()), keys=desk.guarded))

        run(service, listening, companions, tls, up, config.drain_s)


def _desk(config: ServingConfig, engine: Engine, home: Path) -> tuple[Desk, list[Companion]]:
    if not (config.keys == "on" or (config.keys == "auto" and not is_loopback(config.host))):
        return Desk(engine), []
    clock = Clock()
    ledger = Ledger(home, clock)
    ledger.fold()
    gate = Gate(KeyStore(home, clock), ledger, clock, required=True)
    return Desk(engine, gate, ledger), [_Folding(ledger)]


def _service(config: ServingConfig, desk: Desk, repository: Repository) -> Service:
    tensors = TensorLimits(max_elements=config.max_elements, max_dimensions=config.max_dimensions)
    limits = Limits(
        max_body_bytes=config.max_body_bytes,
        max_headers=config.max_headers,
        receive_s=config.receive_s,
        idle_s=config.idle_s,
    )
    held: list[Service] = []
    metrics = Metrics(desk.engine, lambda: held[0])
    log = AccessLog(config.access_log, desk.engine.supervisor) if config.access_log else None
    application = Application(routes(desk, tensors, repository, metrics), log)
    held.append(Service(application, limits, desk.engine.supervisor))
    streams(desk, application, held[0])
    return held[0]


def _observers(desk: Desk, service: Service, config: ServingConfig) -> list[Companion]:
    observers: list[Companion] = [GivingBack(service.supervisor)]
    told = service.answer.told if isinstance(service.answer, Application) else None
    if isinstance(told, AccessLog):
        observers.append(told)
    if config.traces:
        from glassworks.serving.tracing import Tracing

        tracing = Tracing(config.traces)
        desk.spans = tracing
        observers.append(tracing)
    return observers


def _rpc(config: ServingConfig, desk: Desk, repository: Repository, port: int) -> RpcServer:
    from glassworks.serving.rpc.server import RpcServer
    from glassworks.serving.rpc.service import InferenceService

    tensors = TensorLimits(max_elements=config.max_elements, max_dimensions=config.max_dimensions)
    chosen = config.grpc_port
    if chosen is None:
        chosen = 0 if config.port == 0 or port == _LAST_PORT else port + 1
    listening = bind(config.host, chosen, "--grpc-port")
    return RpcServer(InferenceService(desk, repository, tensors), listening, config.max_body_bytes, _tls(config, "h2"))


def _tls(config: ServingConfig, protocol: str) -> ssl.SSLContext | None:
    if not config.tls_certificate and not config.tls_key:
        return None
    if not (config.tls_certificate and config.tls_key):
        raise InputError(
            "TLS needs a certificate and its key", "give both: --tls-certificate FILE --tls-key FILE, PEM files"
        )
    return secure_context(Path(config.tls_certificate), Path(config.tls_key), protocol)


def _direct(engine: Engine, split: str) -> None:
    """`digits:champion=90,candidate=10`; the name may be left out where one model is served."""
    name, separator, shares = split.rpartition(":")
    if not separator:
        if len(engine.names()) != 1:
            raise InputError(
                f"'{split[:100]}' does not say of which model", "begin with its name: digits:champion=90,..."
            )
        name = engine.names()[0]
    traffic = parse_traffic(shares)
    for version in (*traffic.shares, *([traffic.shadow] if traffic.shadow else [])):
        engine.model(name, version)
    engine.direct(name, traffic)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Folding:
    """Moves the ledger's closed segments into its table now and then."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._fold())

    async def stop(self, grace_s: float) -> None:
        """End; what was recorded stays in its file until the next start, and is counted all the same."""
        if self._task is not None:
            self._task.cancel()

    async def _fold(self) -> None:
        while True:
            await asyncio.sleep(_FOLD_S)
            try:
                await asyncio.to_thread(self._ledger.fold)
            except GlassworksError as error:
                _log.error("the usage ledger is not folded, it grows: %s", error)
