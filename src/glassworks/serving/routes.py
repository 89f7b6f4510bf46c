"""All routes of the service, over its parts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from glassworks.errors import GlassworksError
from glassworks.serving.app import Application, Route
from glassworks.serving.codec.tensors import TensorLimits
from glassworks.serving.core.dispatcher import Dispatcher
from glassworks.serving.protocols.generate import Generate
from glassworks.serving.protocols.kserve_v1 import KServeV1
from glassworks.serving.protocols.management import Management
from glassworks.serving.protocols.open_inference import OpenInference
from glassworks.serving.protocols.page import Pages
from glassworks.serving.protocols.pictures import Pictures
from glassworks.serving.transports.http.exchange import Answer, Exchange, failure, token

if TYPE_CHECKING:
    from glassworks.serving.core.repository import Repository
    from glassworks.serving.observability.metrics import Metrics
    from glassworks.serving.transports.http.service import Service

_MODEL = r"/v2/models/(?P<model>[^/]+)"
_VERSION = _MODEL + r"(?:/versions/(?P<version>[^/]+))?"
_V1 = r"/v1/models/(?P<model>[^/:]+)"


def routes(
    dispatcher: Dispatcher,
    limits: TensorLimits | None = None,
    repository: Repository | None = None,
    metrics: Metrics | None = None,
) -> Sequence[Route]:
    """What the service answers."""
    return (
        *_of_models(dispatcher, limits or TensorLimits()),
        *_of_operators(dispatcher, repository, metrics),
        *_of_v1(dispatcher),
    )


def _of_models(dispatcher: Dispatcher, limits: TensorLimits) -> Sequence[Route]:
    protocol, generate = OpenInference(dispatcher, limits), Generate(dispatcher)
    pictures = Pictures(dispatcher)
    return (
        Route(_VERSION + "/infer", {"POST": protocol.infer}),
        Route(_VERSION + "/explain", {"POST": protocol.explain}),
        Route(_VERSION + "/feedback", {"POST": protocol.feedback}),
        Route(_VERSION + "/picture", {"POST": pictures.picture}),
        Route(_VERSION + "/stream", {"GET": pictures.stream}),
        Route(_VERSION + "/ready", {"GET": protocol.ready}),
        Route(_VERSION + "/generate", {"POST": generate.generate}),
        Route(_VERSION + "/generate_stream", {"POST": generate.stream}),
        # Before the model of that name.
        Route(r"/v2/models/stats", {"GET": Management(dispatcher, None).statistics}),
        Route(_VERSION, {"GET": protocol.metadata}),
        Route(r"/v2/?", {"GET": protocol.server}),
        Route(r"/v2/health/(?:live|ready)", {"GET": protocol.live}),
    )


def streams(dispatcher: Dispatcher, application: Application, service: Service) -> None:
    """Let the service speak WebSocket where frames are streamed; who may not is told so as by a plain request."""
    pictures = Pictures(dispatcher)

    def taken_over(exchange: Exchange) -> asyncio.Protocol | None:
        path = exchange.target.partition(b"?")[0]
        if exchange.headers.get(b"upgrade", b"").lower() != b"websocket" or not path.endswith(b"/stream"):
            return None
        if exchange.method != "GET" or "GET" not in application.place(exchange):
            return None
        try:
            application.admit(exchange.method, exchange.headers)
            return pictures.upgrade(exchange, service)
        except GlassworksError:
            return None  # the same endpoint says why

    service.taken_over = taken_over


def doorkeeper(dispatcher: Dispatcher, application: Application) -> Callable[[Exchange], Answer | None]:
    """Refuses by the head alone what would be refused anyway, so that no large body is read of whoever may not ask."""

    def refused(exchange: Exchange) -> Answer | None:
        try:
            application.admit(exchange.method, exchange.headers)
            application.place(exchange)
            # A load may name a version behind the model's name.
            model = exchange.parameters.get("model", "").partition("@")[0]
            dispatcher.admission.permit(token(exchange), None, model or None)
        except GlassworksError as error:
            return failure(error)
        return None

    return refused


def _of_operators(dispatcher: Dispatcher, repository: Repository | None, metrics: Metrics | None) -> Sequence[Route]:
    manage, pages = Management(dispatcher, repository), Pages(dispatcher)

    def measured(exchange: Exchange) -> Answer:
        dispatcher.admission.permit_all(token(exchange))
        text, content_type = metrics.text() if metrics is not None else (b"", b"text/plain")
        return Answer(text, content_type=content_type)

    return (
        Route(_VERSION + "/stats", {"GET": manage.statistics}),
        Route(_VERSION + "/config", {"GET": manage.configuration}),
        Route(r"/v2/repository/index", {"POST": manage.index}),
        Route(r"/v2/repository/models/(?P<model>[^/]+)/load", {"POST": manage.load}),
        Route(r"/v2/repository/models/(?P<model>[^/]+)/unload", {"POST": manage.unload}),
        Route(r"/api/models/(?P<model>[^/]+)/traffic", {"GET": manage.traffic, "PUT": manage.set_traffic}),
        Route(r"/metrics", {"GET": measured}),
        Route(r"/(?:docs)?", {"GET": pages.page}),
        Route(r"/openapi\.json", {"GET": pages.openapi}),
    )


def _of_v1(dispatcher: Dispatcher) -> Sequence[Route]:
    v1 = KServeV1(dispatcher)
    return (
        Route(r"/v1/models", {"GET": v1.models}),
        Route(_V1, {"GET": v1.ready}),
        Route(_V1 + ":predict", {"POST": v1.predict}),
        Route(_V1 + ":explain", {"POST": v1.explain}),
    )
