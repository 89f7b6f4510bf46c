"""The protocol's extensions for operators over HTTP: repository, statistics, configuration, traffic."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from glassworks.errors import InputError
from glassworks.serving.core.traffic import Traffic, checked_traffic, parse_traffic
from glassworks.serving.core.work import LEVELS
from glassworks.serving.protocols.operations import Operations
from glassworks.serving.transports.http.exchange import Answer, Exchange, call, json_answer, token

if TYPE_CHECKING:
    from glassworks.contracts import TensorSpec
    from glassworks.serving.core.dispatcher import Dispatcher
    from glassworks.serving.core.model import LoadedModel
    from glassworks.serving.core.repository import Repository
    from glassworks.serving.core.statistics import Duration

_TYPES = {"BYTES": "TYPE_STRING"}


class Management:
    """Endpoints over a dispatcher and the repository behind it."""

    def __init__(self, dispatcher: Dispatcher, repository: Repository | None) -> None:
        self._dispatcher, self._engine, self._operations = (
            dispatcher,
            dispatcher.engine,
            Operations(dispatcher, repository),
        )

    def statistics(self, exchange: Exchange) -> Answer:
        """GET /v2/models[/{model}[/versions/{version}]]/stats"""
        asked = exchange.parameters
        models = self._operations.models(token(exchange), asked.get("model"), asked.get("version"))
        return json_answer({"model_stats": [model_statistics(model) for model in models]})

    def configuration(self, exchange: Exchange) -> Answer:
        """GET /v2/models/{model}[/versions/{version}]/config"""
        return json_answer(model_configuration(self._dispatcher.model(call(exchange))))

    async def index(self, exchange: Exchange) -> Answer:
        """POST /v2/repository/index"""
        states = await self._operations.index(token(exchange), exchange.json().get("ready", False))
        return json_answer([vars(state) for state in states])

    async def load(self, exchange: Exchange) -> Answer:
        """POST /v2/repository/models/{model}/load"""
        await self._operations.load(token(exchange), exchange.parameters["model"], _parameters(exchange))
        return json_answer({})

    async def unload(self, exchange: Exchange) -> Answer:
        """POST /v2/repository/models/{model}/unload"""
        await self._operations.unload(token(exchange), exchange.parameters["model"], _parameters(exchange))
        return json_answer({})

    def traffic(self, exchange: Exchange) -> Answer:
        """GET /api/models/{model}/traffic"""
        model = self._operations.model(token(exchange), exchange.parameters["model"], None)
        return self._split(model.name)

    def set_traffic(self, exchange: Exchange) -> Answer:
        """PUT /api/models/{model}/traffic: `{"split": "champion=90,candidate=10"}`, or null to end a split."""
        name = exchange.parameters["model"]
        self._dispatcher.admission.permit(token(exchange), "admin", name)
        self._engine.model(name)
        split = exchange.json().get("split")
        if split is None:
            self._engine.direct(name, None)
        elif isinstance(split, str):
            self._engine.direct(name, self._known(name, parse_traffic(split)))
        else:
            raise InputError(f"split is {split!r:.200}", "give a text such as champion=90,candidate=10, or null")
        return self._split(name)

    def _split(self, name: str) -> Answer:
        model = self._engine.model(name)
        traffic = self._engine.traffic(name) or Traffic(shares={model.version: 100.0})
        return json_answer(traffic.model_dump(mode="json"))

    def _known(self, name: str, traffic: Traffic) -> Traffic:
        for version in (*traffic.shares, *([traffic.shadow] if traffic.shadow else [])):
            self._engine.model(name, version)
        return checked_traffic(traffic)


def _parameters(exchange: Exchange) -> dict[str, Any]:
    parameters = exchange.json().get("parameters", {})
    if not isinstance(parameters, dict):
        raise InputError("parameters is not an object", "send an object of names and values")
    return parameters


def model_statistics(model: LoadedModel) -> dict[str, Any]:
    """The protocol's statistics of one version."""
    counted = model.statistics
    requests = counted.success.count
    nothing = {"count": 0, "ns": 0}
    return {
        "name": model.name,
        "version": model.version,
        "last_inference": counted.last_ms,
        "inference_count": counted.rows,
        "execution_count": counted.executions,
        "inference_stats": {
            "success": _duration(counted.success),
            "fail": _duration(counted.fail),
            "queue": {"count": requests, "ns": counted.queue.total},
            "compute_input": {"count": requests, "ns": counted.input_ns},
            "compute_infer": {"count": requests, "ns": counted.infer_ns},
            "compute_output": {"count": requests, "ns": counted.output_ns},
            "cache_hit": nothing,
            "cache_miss": nothing,
        },
        "response_stats": {},
        "batch_stats": [
            {"batch_size": rows, "compute_input": nothing, "compute_infer": _duration(spent), "compute_output": nothing}
            for rows, spent in sorted(counted.batches.items())
        ],
        "memory_usage": [],
        "explanations": _duration(counted.explain),
    }


def model_configuration(model: LoadedModel) -> dict[str, Any]:
    """The protocol's configuration of a model, as its load generators read it. The first dimension is the batch."""
    signature = model.manifest.signature
    runtime = model.opened.bundle.artifact("predict").artifact.runtime
    return {
        "name": model.name,
        "platform": f"glassworks_{runtime}",
        "backend": runtime,
        "version_policy": {"specific": {"versions": [int(model.version)]}},
        "max_batch_size": model.batching.max_rows,
        "input": [{**_tensor(spec), "optional": False} for spec in signature.inputs],
        "output": [_tensor(spec) for spec in signature.outputs],
        "dynamic_batching": {
            "preferred_batch_size": [],
            "max_queue_delay_microseconds": 0,
            "preserve_ordering": False,
            "priority_levels": LEVELS,
        },
        "instance_group": [{"name": model.name, "kind": "KIND_CPU", "count": 1}],
        "model_transaction_policy": {"decoupled": False},
        "response_cache": {"enable": False},
        "parameters": {"task": {"string_value": model.manifest.task}},
        "labels": json.dumps(list(model.manifest.labels[:1000]), ensure_ascii=False),
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "data_type": data_type(spec.datatype), "dims": list(spec.shape[1:])}


def data_type(datatype: str) -> str:
    """The configuration's name of a datatype."""
    return _TYPES.get(datatype, f"TYPE_{datatype}")


def _duration(duration: Duration) -> dict[str, int]:
    return {"count": duration.count, "ns": duration.ns}
