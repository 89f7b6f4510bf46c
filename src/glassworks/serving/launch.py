"""Puts the service together from its settings, and runs it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ipaddress
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from glassworks.config import ServingConfig
from glassworks.errors import GlassworksError, InputError
from glassworks.registry.deployments import Deployments
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.cross_origin import CrossOrigin
from glassworks.serving.access.gate import Gate
from glassworks.serving.access.keys import KeyStore
from glassworks.serving.access.ledger import Ledger
from glassworks.serving.access.origins import Origins
from glassworks.serving.access.sessions import Sessions
from glassworks.serving.app import Admit, Application
from glassworks.serving.batches.batches import Batches
from glassworks.serving.codec.tensors import TensorLimits
from glassworks.serving.core.dispatcher import Dispatcher
from glassworks.serving.core.engines.opening import Placement
from glassworks.serving.core.memory import GivingBack
from glassworks.serving.core.model import Batching
from glassworks.serving.core.models import Models
from glassworks.serving.core.repository import Repository
from glassworks.serving.core.traffic import parse_traffic
from glassworks.serving.deploying import loaded_before, restore
from glassworks.serving.endpoints import Context, Protocol
from glassworks.serving.observability.access_log import AccessLog
from glassworks.serving.observability.failures import Failures
from glassworks.serving.observability.logs import discreet
from glassworks.serving.observability.metrics import Metrics
from glassworks.serving.routes import doorkeeper, routes
from glassworks.serving.supervision import Supervisor
from glassworks.serving.transports.http.exchange import Exchange
from glassworks.serving.transports.http.limits import Limits
from glassworks.serving.transports.http.server import Companion, bind, run, secure_context, url
from glassworks.serving.transports.http.service import Service
from glassworks.serving.workers import Workers

if TYPE_CHECKING:
    from glassworks.registry import Registry
    from glassworks.serving.transports.grpc.server import RpcServer

_FOLD_S = 60.0
_FOLDING = "folding of the ledger"
_LAST_PORT = 65_535


@dataclass(frozen=True, kw_only=True)
class Running:
    """Where the service answers, and what. `grpc` is an address `host:port`, or None."""

    url: str
    grpc: str | None
    models: Sequence[str]
    keys: bool


def serve(
    config: ServingConfig,
    registry: Registry,
    references: Sequence[str],
    ready: Callable[[Running], None],
    further: Sequence[type[Protocol]] = (),
) -> None:
    """Serve models until SIGTERM or SIGINT; all of the registry's without references. `further` protocols are answered
    beside those of models.

    Raises NotFound, BundleError, InputError and ServingError before anything is served.
    """
    discreet()
    tls = _tls(config, "http/1.1")
    listening = bind(config.host, config.port)
    models = _models(config, registry.home)
    with contextlib.closing(listening), contextlib.closing(models), _access_log(config, models) as log:
        repository = _repository(config, models, registry, references)
        context = replace(_context(config, models, repository, registry), further=further)
        service = _service(context, log)
        rpc = _rpc(context, repository, service, int(listening.getsockname()[1])) if config.grpc else None
        companions: list[Companion] = [repository, *([rpc] if rpc is not None else []), *context.companions]
        companions += [*_observers(context.dispatcher, log, config), Workers(config, registry.home, models.supervisor)]

        def up() -> None:
            address = f"{config.host}:{rpc.port}" if rpc is not None else None
            where = url(listening, config.host, tls is not None)
            ready(Running(url=where, grpc=address, models=list(models.names()), keys=context.sessions is not None))

        run(service, listening, companions, tls, up, config.drain_s)


def _repository(config: ServingConfig, models: Models, registry: Registry, references: Sequence[str]) -> Repository:
    repository, deployments = Repository(models, registry, config.watch), Deployments(registry)
    repository.open(references or loaded_before(registry, deployments))
    directed = {_direct(models, split) for split in config.traffic}
    restore(repository, models, deployments, directed)
    return repository


def _models(config: ServingConfig, home: Path) -> Models:
    batching = Batching(max_rows=config.max_batch, max_queue=config.max_queue)
    placement = Placement(engine=config.engine, explain_in=config.explain_in)
    return Models(batching, placement, home, Supervisor())


def _context(config: ServingConfig, models: Models, repository: Repository, registry: Registry) -> Context:
    dispatcher, sessions, companions = _dispatcher(config, models, registry.home)
    batches = Batches(registry.home, dispatcher)
    return Context(
        dispatcher,
        TensorLimits(max_elements=config.max_elements, max_dimensions=config.max_dimensions),
        repository,
        batches=batches,
        registry=registry,
        sessions=sessions,
        failures=Failures(dispatcher.admission.name),
        config=config,
        companions=[batches, *companions],
    )


def _dispatcher(
    config: ServingConfig, models: Models, home: Path
) -> tuple[Dispatcher, Sessions | None, list[Companion]]:
    if not (config.keys == "on" or (config.keys == "auto" and not is_loopback(config.host))):
        return Dispatcher(models, unread_s=config.unread_s), None, []
    clock, supervisor = Clock(), models.supervisor
    ledger = Ledger(home, clock, supervisor=supervisor)
    ledger.fold()
    gate = Gate(KeyStore(home, clock), ledger, clock, required=True)
    return (
        Dispatcher(models, gate, ledger, config.unread_s),
        Sessions(home, gate, clock),
        [_Folding(ledger, supervisor)],
    )


def _service(context: Context, log: AccessLog | None) -> Service:
    config, dispatcher = context.config, context.dispatcher
    limits = Limits(
        max_body_bytes=config.max_body_bytes,
        max_headers=config.max_headers,
        receive_s=config.receive_s,
        idle_s=config.idle_s,
    )
    service: list[Service] = []
    context = replace(context, metrics=Metrics(dispatcher.models, lambda: service[0]))
    supervisor = dispatcher.models.supervisor
    on_answer = supervisor.guard("access log", log) if log is not None else None
    application = Application(routes(context), on_answer, _admit(context))
    crossing = CrossOrigin(application, config.allow_origin) if config.allow_origin else None
    service.append(Service(crossing or application, limits, supervisor))
    refuse = doorkeeper(dispatcher.admission, application, context.heads)
    service[0].refused = functools.partial(crossing.refused, refuse) if crossing else refuse
    service[0].failed = supervisor.guard("log of failures", context.failures.answered)
    supervisor.heard = context.failures.troubled
    service[0].taken_over = lambda exchange: application.upgraded(exchange, service[0])
    batches = context.batches
    if batches is not None:
        batches.background.ask = application
    return service[0]


def _admit(context: Context) -> Admit:
    """Without keys, only the service's own pages may ask; with them, a browser's session stands for its key."""
    sessions = context.sessions
    if sessions is None:
        check = Origins(context.config.host, context.config.allowed_hosts, context.config.allow_origin).check
        return lambda exchange: check(exchange.method, exchange.headers)

    def admit(exchange: Exchange) -> None:
        if (key := sessions.key(exchange.headers)) is not None:
            exchange.headers = {**exchange.headers, b"authorization": b"Bearer " + key}

    return admit


@contextlib.contextmanager
def _access_log(config: ServingConfig, models: Models) -> Iterator[AccessLog | None]:
    """The log, where one is wanted; at its end it is written as far as the system takes it."""
    if not config.access_log:
        yield None
        return
    with contextlib.closing(AccessLog(config.access_log, models.supervisor)) as log:
        yield log


def _observers(dispatcher: Dispatcher, log: AccessLog | None, config: ServingConfig) -> list[Companion]:
    supervisor = dispatcher.models.supervisor
    observers: list[Companion] = [GivingBack(supervisor), *([log] if log is not None else [])]
    if config.traces:
        from glassworks.serving.observability.tracing import Tracing

        tracing = Tracing(config.traces, supervisor)
        dispatcher.spans = supervisor.guard("tracing", tracing)
        observers.append(tracing)
    return observers


def _rpc(context: Context, repository: Repository, service: Service, port: int) -> RpcServer:
    from glassworks.serving.transports.grpc.server import RpcServer
    from glassworks.serving.transports.grpc.service import InferenceService

    config = context.config
    chosen = config.grpc_port
    if chosen is None:
        chosen = 0 if config.port == 0 or port == _LAST_PORT else port + 1
    listening = bind(config.host, chosen, "--grpc-port")
    return RpcServer(
        InferenceService(context.dispatcher, repository, context.limits), listening, service, _tls(config, "h2")
    )


def _tls(config: ServingConfig, protocol: str) -> ssl.SSLContext | None:
    if not config.tls_certificate and not config.tls_key:
        return None
    if not (config.tls_certificate and config.tls_key):
        raise InputError(
            "TLS needs a certificate and its key", "give both: --tls-certificate FILE --tls-key FILE, PEM files"
        )
    return secure_context(Path(config.tls_certificate), Path(config.tls_key), protocol)


def _direct(models: Models, split: str) -> str:
    """`digits:champion=90,candidate=10`; the name, which may be left out where one model is served."""
    name, separator, shares = split.rpartition(":")
    if not separator:
        if len(models.names()) != 1:
            raise InputError(
                f"'{split[:100]}' does not say of which model", "begin with its name: digits:champion=90,..."
            )
        name = models.names()[0]
    traffic = parse_traffic(shares)
    for version in traffic.versions:
        models.model(name, version)
    models.direct(name, traffic)
    return name


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

    def __init__(self, ledger: Ledger, supervisor: Supervisor) -> None:
        self._ledger, self._supervisor = ledger, supervisor
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = self._supervisor.keep(_FOLDING, self._fold)

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
                self._supervisor.suffers(_FOLDING, f"the usage ledger grows: {error.problem}")
            else:
                self._supervisor.recovered(_FOLDING)
