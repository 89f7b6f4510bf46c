"""The protocol's extensions for operators over HTTP: repository, statistics, configuration, traffic."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from glassworks.errors import InputError, NotFound, Unsupported
from glassworks.serving.batching import LEVELS
from glassworks.serving.http.exchange import Answer, Exchange, json_answer
from glassworks.serving.open_inference import call, token
from glassworks.serving.traffic import Traffic, checked_traffic, parse_traffic

if TYPE_CHECKING:
    from glassworks.contracts import TensorSpec
    from glassworks.serving.desk import Desk
    from glassworks.serving.model import LoadedModel
    from glassworks.serving.repository import Repository
    from glassworks.serving.statistics import Duration

_TYPES = {"BYTES": "TYPE_STRING"}


class Management:
    """Endpoints over a desk and the repository behind it."""

    def __init__(self, desk: Desk, repository: Repository | None) -> None:
        self._desk, self._engine, self._repository = desk, desk.engine, repository

    def statistics(self, exchange: Exchange) -> Answer:
        """GET /v2/models[/{model}[/versions/{version}]]/stats"""
        if "model" in exchange.parameters:
            asked = call(exchange)
            self._desk.permit(asked.token)
            model = self._engine.model(asked.name, asked.version)
            versions = [model.version] if asked.version is not None else self._engine.versions(asked.name)
            models = [self._engine.model(asked.name, version) for version in versions]
        else:
            self._permit(exchange, "infer")
            models = list(self._engine.loaded())
        return json_answer({"model_stats": [model_statistics(model) for model in models]})

    def configuration(self, exchange: Exchange) -> Answer:
        """GET /v2/models/{model}[/versions/{version}]/config"""
        return json_answer(model_configuration(self._desk.model(call(exchange))))

    async def index(self, exchange: Exchange) -> Answer:
        """POST /v2/repository/index"""
        self._permit(exchange, "infer")
        ready = exchange.json().get("ready", False)
        if not isinstance(ready, bool):
            raise InputError(f"ready is {ready!r}", "give true or false")
        states = await self._needed().index()
        rows = [vars(state) for state in states if state.state == "READY" or not ready]
        return json_answer(rows)

    async def load(self, exchange: Exchange) -> Answer:
        """POST /v2/repository/models/{model}/load"""
        self._permit(exchange, "admin")
        parameters = _parameters(exchange)
        for name in parameters:
            if name != "version":
                raise Unsupported(
                    f"the parameter '{name[:100]}' of a load is not supported: a bundle is loaded as it is",
                    "send no parameters, or 'version': a version or an alias",
                )
        reference = exchange.parameters["model"]
        if "version" in parameters:
            reference += f"@{parameters['version']}"
        await self._needed().load(reference)
        return json_answer({})

    async def unload(self, exchange: Exchange) -> Answer:
        """POST /v2/repository/models/{model}/unload"""
        self._permit(exchange, "admin")
        dependents = _parameters(exchange).get("unload_dependents", False)
        if not isinstance(dependents, bool):
            raise InputError(f"unload_dependents is {dependents!r}", "give true or false")
        await self._needed().unload(exchange.parameters["model"])
        return json_answer({})

    def traffic(self, exchange: Exchange) -> Answer:
        """GET /api/models/{model}/traffic"""
        self._permit(exchange, "infer")
        model = self._engine.model(exchange.parameters["model"])
        traffic = self._engine.traffic(model.name) or Traffic(shares={model.version: 100.0})
        return json_answer(traffic.model_dump(mode="json"))

    def set_traffic(self, exchange: Exchange) -> Answer:
        """PUT /api/models/{model}/traffic: `{"split": "champion=90,candidate=10"}`, or null to end a split."""
        self._permit(exchange, "admin")
        name = self._engine.model(exchange.parameters["model"]).name
        split = exchange.json().get("split")
        if split is None:
            self._engine.direct(name, None)
        elif isinstance(split, str):
            self._engine.direct(name, self._known(name, parse_traffic(split)))
        else:
            raise InputError(f"split is {split!r}", "give a text such as champion=90,candidate=10, or null")
        return self.traffic(exchange)

    def _known(self, name: str, traffic: Traffic) -> Traffic:
        for version in (*traffic.shares, *([traffic.shadow] if traffic.shadow else [])):
            self._engine.model(name, version)
        return checked_traffic(traffic)

    def _permit(self, exchange: Exchange, role: str) -> None:
        self._desk.permit(token(exchange), role)

    def _needed(self) -> Repository:
        if self._repository is None:
            raise NotFound("this service has no repository", "start it with 'glassworks serve'")
        return self._repository


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
