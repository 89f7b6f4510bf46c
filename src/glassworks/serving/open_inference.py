"""The Open Inference Protocol over HTTP: health, metadata, infer and explain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from glassworks.contracts import Explanation
from glassworks.errors import InputError
from glassworks.serving.engine import ExplainOptions
from glassworks.serving.exchange import Answer, Exchange, json_answer
from glassworks.serving.tensors import DTYPES, AnyBody, parse_request, render_response

if TYPE_CHECKING:
    from glassworks.contracts import Array
    from glassworks.serving.engine import Engine, LoadedModel

EXTENSIONS = ("binary_tensor_data", "classification", "parameters", "glassworks_explain")
_HEADER = b"inference-header-content-length"
_LARGEST = float(np.finfo(np.float32).max)


class OpenInference:
    """Endpoints over an engine. Each takes an exchange and gives its answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def server(self, exchange: Exchange) -> Answer:
        """GET /v2"""
        return json_answer({"name": "glassworks", "version": version("glassworks"), "extensions": EXTENSIONS})

    async def live(self, exchange: Exchange) -> Answer:
        """GET /v2/health/live and /v2/health/ready; the service listens once its models are warm."""
        return json_answer({"live": True, "ready": True})

    async def metadata(self, exchange: Exchange) -> Answer:
        """GET /v2/models/{model}[/versions/{version}]"""
        model = self._model(exchange)
        manifest = model.manifest
        versions = self._engine.versions(exchange.parameters["model"])
        return json_answer(
            {
                "name": exchange.parameters["model"],
                "versions": list(versions),
                "platform": f"glassworks_{model.opened.bundle.artifact('predict').artifact.runtime}",
                "inputs": [spec.model_dump(mode="json") for spec in manifest.signature.inputs],
                "outputs": [spec.model_dump(mode="json") for spec in manifest.signature.outputs],
                "properties": {
                    "task": manifest.task,
                    "family": manifest.family,
                    "labels": ",".join(manifest.labels[:1000]),
                    "explainers": ",".join(manifest.explainers),
                    "bundle_sha256": model.opened.bundle.sha256,
                },
            }
        )

    async def ready(self, exchange: Exchange) -> Answer:
        """GET /v2/models/{model}[/versions/{version}]/ready"""
        self._model(exchange)
        return json_answer({"name": exchange.parameters["model"], "ready": True})

    async def infer(self, exchange: Exchange) -> Answer:
        """POST /v2/models/{model}[/versions/{version}]/infer"""
        model = self._model(exchange)
        request, tensors = await _received(exchange, model)
        wanted = _wanted(request, model.outputs)
        work = model.infer(tensors)
        # Watching whether the client leaves costs some microseconds, which only a request that waits can win back.
        outputs = await (exchange.unless_gone(work) if model.busy else work)
        return _answer(exchange, model, request, {name: outputs[name] for name in wanted})

    async def explain(self, exchange: Exchange) -> Answer:
        """POST /v2/models/{model}[/versions/{version}]/explain"""
        model = self._model(exchange)
        request, tensors = await _received(exchange, model)
        attributions = f"attributions:{next(iter(model.inputs))}"
        wanted = _wanted(request, (*model.outputs, attributions))
        options = _explain_options(request.parameters)
        explanations = await exchange.unless_gone(model.explain(tensors, options))
        outputs = {name: np.concatenate([each.outputs[name] for each in explanations]) for name in model.outputs}
        outputs[attributions] = np.concatenate([each.attribution.values for each in explanations])
        chosen = {name: outputs[name] for name in wanted}
        return _answer(exchange, model, request, chosen, _explain_parameters(explanations))

    def _model(self, exchange: Exchange) -> LoadedModel:
        return self._engine.model(exchange.parameters["model"], exchange.parameters.get("version"))


async def _received(exchange: Exchange, model: LoadedModel) -> tuple[AnyBody, dict[str, Array]]:
    body, length = await exchange.body(), _header_length(exchange)
    return _raw_request(body, model) if length == 0 else parse_request(body, length)


def _raw_request(body: bytes, model: LoadedModel) -> tuple[AnyBody, dict[str, Array]]:
    """A body without JSON: the only input of the model, whose variable dimension follows from the size."""
    specs = tuple(model.inputs.values())
    if len(specs) != 1 or specs[0].shape.count(-1) > 1 or specs[0].datatype not in DTYPES:
        raise InputError(
            "a raw request needs a model of one input of numbers with at most one variable dimension",
            "send JSON before the tensors, and its length as Inference-Header-Content-Length",
        )
    fixed = math.prod(size for size in specs[0].shape if size != -1) * DTYPES[specs[0].datatype].itemsize
    tensor = {
        "name": specs[0].name,
        "datatype": specs[0].datatype,
        "shape": [len(body) // max(fixed, 1) if size == -1 else size for size in specs[0].shape],
        "parameters": {"binary_data_size": len(body)},
    }
    head = msgspec.json.encode({"inputs": [tensor], "parameters": {"binary_data_output": True}})
    return parse_request(head + body, len(head))


def _header_length(exchange: Exchange) -> int | None:
    value = exchange.header(_HEADER)
    if value is None:
        return None
    if not value.isdigit() or len(value) > 12:
        raise InputError(
            f"Inference-Header-Content-Length is {value[:40].decode('latin-1')!r}, not a number",
            "give the length of the JSON",
        )
    return int(value)


def _wanted(request: AnyBody, outputs: Sequence[str]) -> Sequence[str]:
    """The outputs to send: those asked for, else all. Raises InputError."""
    names: dict[str, None] = {}
    for output in request.outputs:
        if output.name not in outputs:
            raise InputError(f"the model has no output '{output.name}'", f"its outputs: {', '.join(outputs)}")
        if output.name in names:
            raise InputError(f"the output '{output.name}' is asked for twice", "ask for each output once")
        names[output.name] = None
    return list(names) or outputs


def _answer(
    exchange: Exchange,
    model: LoadedModel,
    request: AnyBody,
    outputs: dict[str, Array],
    parameters: Mapping[str, Any] | None = None,
) -> Answer:
    default = _flag(request.parameters, "binary_data_output", False)
    binary = dict.fromkeys(outputs, default)
    for output in request.outputs:
        binary[output.name] = _flag(output.parameters, "binary_data", default)
        if "classification" in output.parameters:
            count = output.parameters["classification"]
            outputs[output.name] = _classified(outputs[output.name], count, model.manifest.labels)
    head: dict[str, Any] = {"model_name": exchange.parameters["model"], "model_version": model.version}
    if request.id is not None:
        head["id"] = request.id
    if parameters:
        head["parameters"] = parameters
    body, length = render_response(head, outputs, binary)
    if length is None:
        return Answer(body)
    return Answer(body, content_type=b"application/octet-stream", headers=[(_HEADER, b"%d" % length)])


def _classified(values: Array, count: object, labels: tuple[str, ...]) -> Array:
    """The `count` largest values of each row as BYTES `value:index:label`."""
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise InputError(f"classification is {count!r}", "give the number of classes, 1 or more")
    scores = np.asarray(values, np.float32).reshape(len(values), -1)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    texts = np.empty(order.shape, object)
    for row, indices in enumerate(order.tolist()):
        for place, index in enumerate(indices):
            label = f":{labels[index]}" if index < len(labels) else ""
            texts[row, place] = f"{scores[row, index]:.6f}:{index}{label}".encode()
    return texts


def _explain_options(parameters: Mapping[str, Any]) -> ExplainOptions:
    method, target = parameters.get("method"), parameters.get("target")
    if method is not None and not isinstance(method, str):
        raise InputError(f"method is {method!r}, not a text", "name one of the model's explainers")
    if target is not None and (isinstance(target, bool) or not isinstance(target, int | str)):
        raise InputError(f"target is {target!r}", "give a class number or a label")
    seed = parameters.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise InputError(f"seed is {seed!r}", "give a whole number from 0 to 4294967295")
    return ExplainOptions(
        method=method,
        target=target,
        seed=seed,
        baseline=_number(parameters, "baseline"),
        budget_ms=_number(parameters, "budget_ms", least=0.0),
        grade=_flag(parameters, "grade", True),
    )


def _flag(parameters: Mapping[str, Any], name: str, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise InputError(f"{name} is {value!r}", "give true or false")
    return value


def _number(parameters: Mapping[str, Any], name: str, least: float = -_LARGEST) -> float | None:
    value = parameters.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= _LARGEST:
        raise InputError(f"{name} is {value!r}", f"give a number from {least:g} to {_LARGEST:g}")
    return float(value)


def _explain_parameters(explanations: list[Explanation]) -> dict[str, Any]:
    """Of one row as they are; of several rows as JSON text in `rows`, since parameters cannot be lists."""
    rows = [_parameters(each) for each in explanations]
    if len(rows) == 1:
        return rows[0]
    shared = {name: rows[0][name] for name in ("method", "seed", "artifact_sha256")}
    return {**shared, "rows": msgspec.json.encode(rows).decode()}


def _parameters(explanation: Explanation) -> dict[str, Any]:
    attribution = explanation.attribution
    numbers = {
        "completeness_gap": attribution.gap,
        "score": attribution.score,
        "baseline_score": attribution.baseline_score,
        **explanation.quality,
    }
    return {
        "method": explanation.method,
        "target": explanation.target,
        "label": explanation.label,
        **{name: value for name, value in numbers.items() if value is not None and math.isfinite(value)},
        "forward": attribution.forward,
        "backward": attribution.backward,
        "seed": explanation.seed,
        "converged": attribution.converged,
        "artifact_sha256": explanation.artifact_sha256,
        "milliseconds": round(explanation.milliseconds, 3),
    }
