"""The protocol's extensions for operators over HTTP: repository, statistics, configuration, traffic."""

from __future__ import annotations

from typing import Any

from glassworks.errors import InputError
from glassworks.serving.core.traffic import Traffic, checked_traffic, parse_traffic
from glassworks.serving.descriptions import model_configuration, model_statistics
from glassworks.serving.endpoints import Context, Protocol, Schema, endpoint, of_model
from glassworks.serving.operations import Operations
from glassworks.serving.transports.http.exchange import Answer, Exchange, call, json_answer, token

_REPOSITORY, _TRAFFIC = "/v2/repository/models/{model}", "/api/models/{model}/traffic"
_MANY = Schema("Many", {"type": "array", "items": {"type": "object"}})
_INDEX = Schema("Index", {"type": "object", "properties": {"ready": {"type": "boolean"}}}, optional=True)
_LOAD = Schema("Load", {"type": "object", "properties": {"parameters": {"type": "object"}}}, optional=True)
_UNLOAD = Schema("Unload", {"type": "object", "properties": {"parameters": {"type": "object"}}}, optional=True)
_SPLIT = Schema("Split", {"type": "object", "properties": {"split": {"type": ["string", "null"]}}})


class Management(Protocol):
    """Endpoints over a dispatcher and the repository behind it."""

    def __init__(self, context: Context) -> None:
        self._dispatcher, self._models = context.dispatcher, context.dispatcher.models
        self._operations, self._metrics = Operations(context.dispatcher, context.repository), context.metrics

    @endpoint("GET", "/v2/models/stats", "allStatistics", "What all models have answered.")
    @of_model("GET", "/stats", "statistics", "What a model has answered, and how long it took.", dispatched=False)
    def statistics(self, exchange: Exchange) -> Answer:
        """GET /v2/models[/{model}[/versions/{version}]]/stats"""
        asked = exchange.parameters
        models = self._operations.models(token(exchange), asked.get("model"), asked.get("version"))
        return json_answer({"model_stats": [model_statistics(model) for model in models]})

    @of_model("GET", "/config", "configuration", "How a model is batched and scheduled.")
    def configuration(self, exchange: Exchange) -> Answer:
        """GET /v2/models/{model}[/versions/{version}]/config"""
        return json_answer(model_configuration(self._dispatcher.model(call(exchange))))

    @endpoint(
        "POST", "/v2/repository/index", "index", "The repository's models and their states.", takes=_INDEX, gives=_MANY
    )
    async def index(self, exchange: Exchange) -> Answer:
        """POST /v2/repository/index"""
        states = await self._operations.index(token(exchange), exchange.json().get("ready", False))
        return json_answer([vars(state) for state in states])

    @endpoint("POST", _REPOSITORY + "/load", "load", "Serve a model, or its newest version.", takes=_LOAD, role="admin")
    async def load(self, exchange: Exchange) -> Answer:
        """POST /v2/repository/models/{model}/load"""
        await self._operations.load(token(exchange), exchange.parameters["model"], _parameters(exchange))
        return json_answer({})

    @endpoint("POST", _REPOSITORY + "/unload", "unload", "Stop serving a model.", takes=_UNLOAD, role="admin")
    async def unload(self, exchange: Exchange) -> Answer:
        """POST /v2/repository/models/{model}/unload"""
        await self._operations.unload(token(exchange), exchange.parameters["model"], _parameters(exchange))
        return json_answer({})

    @endpoint("GET", _TRAFFIC, "traffic", "How requests are split between versions.")
    def traffic(self, exchange: Exchange) -> Answer:
        """GET /api/models/{model}/traffic"""
        model = self._operations.model(token(exchange), exchange.parameters["model"], None)
        return self._split(model.name)

    @endpoint("PUT", _TRAFFIC, "setTraffic", "Split requests between versions.", takes=_SPLIT, role="admin")
    def set_traffic(self, exchange: Exchange) -> Answer:
        """PUT /api/models/{model}/traffic: `{"split": "champion=90,candidate=10"}`, or null to end a split."""
        name = exchange.parameters["model"]
        self._models.model(name)
        split = exchange.json().get("split")
        if split is None:
            self._models.direct(name, None)
        elif isinstance(split, str):
            self._models.direct(name, self._known(name, parse_traffic(split)))
        else:
            raise InputError(f"split is {split!r:.200}", "give a text such as champion=90,candidate=10, or null")
        return self._split(name)

    @endpoint("GET", "/metrics", "metrics", "Prometheus metrics.", gives="text/plain")
    def metrics(self, exchange: Exchange) -> Answer:
        """GET /metrics"""
        self._dispatcher.admission.permit_all(token(exchange))
        accepted = exchange.headers.get(b"accept", b"").decode("latin-1")
        text, content_type = self._metrics.text(accepted) if self._metrics is not None else (b"", b"text/plain")
        return Answer(text, content_type=content_type)

    def _split(self, name: str) -> Answer:
        model = self._models.model(name)
        traffic = self._models.traffic(name) or Traffic(shares={model.version: 100.0})
        return json_answer(traffic.model_dump(mode="json"))

    def _known(self, name: str, traffic: Traffic) -> Traffic:
        for version in traffic.versions:
            self._models.model(name, version)
        return checked_traffic(traffic)


def _parameters(exchange: Exchange) -> dict[str, Any]:
    parameters = exchange.json().get("parameters", {})
    if not isinstance(parameters, dict):
        raise InputError("parameters is not an object", "send an object of names and values")
    return parameters
