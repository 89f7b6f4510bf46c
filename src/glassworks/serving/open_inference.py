"""The Open Inference Protocol over HTTP: health, metadata, infer and explain."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec

from glassworks.errors import InputError, ServingError
from glassworks.serving.access.gate import token_of
from glassworks.serving.access.keys import id_of
from glassworks.serving.answers import (
    classified,
    explain_options,
    explain_parameters,
    explained,
    flag,
    wanted_outputs,
)
from glassworks.serving.desk import Call, Desk
from glassworks.serving.http.exchange import Answer, Body, Exchange, json_answer
from glassworks.serving.quick import QuickReader
from glassworks.serving.tensors import DTYPES, AnyBody, TensorLimits, parse_request, render_response, to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from glassworks.contracts import Array, Tensors
    from glassworks.serving.model import LoadedModel
    from glassworks.serving.supervision import Trouble

EXTENSIONS = (
    "binary_tensor_data", "classification", "generate", "glassworks_explain", "model_configuration",
    "model_repository", "model_repository(unload_dependents)", "parameters", "schedule_policy", "statistics",
)  # fmt: skip
_HEADER = b"inference-header-content-length"
_ROUTING = b"x-routing-key"
_QUICK = b"application/octet-stream"
_HEADS = 256


class OpenInference:
    """Endpoints over a desk. Each takes an exchange, and gives its answer or a coroutine for it, or replies itself."""

    def __init__(self, desk: Desk, failure: Callable[[Exception], Answer], limits: TensorLimits) -> None:
        self._desk, self._engine, self._failure, self._limits = desk, desk.engine, failure, limits
        self._quick = QuickReader(limits)

    def server(self, exchange: Exchange) -> Answer:
        """GET /v2"""
        return json_answer({"name": "glassworks", "version": version("glassworks"), "extensions": EXTENSIONS})

    def live(self, exchange: Exchange) -> Answer:
        """GET /v2/health/live and /v2/health/ready; the service listens once its models are warm.

        Troubles change nothing of the status: what is told of them is for people.
        """
        whole = self._desk.known(token(exchange))
        troubles = [told_of(part, trouble, whole) for part, trouble in self._engine.supervisor.troubles.items()]
        return json_answer({"live": True, "ready": True, "troubles": troubles})

    def metadata(self, exchange: Exchange) -> Answer:
        """GET /v2/models/{model}[/versions/{version}]"""
        model = self._desk.model(call(exchange))
        return json_answer(metadata(model, self._engine.versions(model.name)))

    def ready(self, exchange: Exchange) -> Answer:
        """GET /v2/models/{model}[/versions/{version}]/ready"""
        self._desk.model(call(exchange))
        return json_answer({"name": exchange.parameters["model"], "ready": True})

    def infer(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        """POST /v2/models/{model}[/versions/{version}]/infer"""
        asked, model = call(exchange), None
        try:
            model = self._desk.model(asked)
            request, tensors = self._received(exchange, model)
            wanted_outputs([output.name for output in request.outputs], model.outputs)
            ready = model.checked(tensors)
            if ready is None:
                return self._infer_files(exchange, asked, model, request, tensors)
            self._submit(exchange, asked, model, request, ready)
        except Exception as error:
            self._desk.refuse(asked, model, error)
            raise
        return None

    async def explain(self, exchange: Exchange) -> Answer:
        """POST /v2/models/{model}[/versions/{version}]/explain"""
        asked = call(exchange)
        model = self._desk.model(asked)
        request, tensors = self._received(exchange, model)
        wanted = wanted_outputs([output.name for output in request.outputs], model.explained)
        options = explain_options(request.parameters)
        explanations = await self._desk.explain(asked, model, tensors, options)
        outputs = explained(explanations, model.outputs)
        chosen = {name: outputs[name] for name in wanted}
        return answer(exchange, model, request, chosen, explain_parameters(explanations))

    async def feedback(self, exchange: Exchange) -> Answer:
        """POST /v2/models/{model}[/versions/{version}]/feedback: what people did; it changes the next answers."""
        asked = call(exchange)
        return json_answer(dict(await self._desk.learn(asked, self._desk.model(asked), exchange.json())))

    async def _infer_files(
        self, exchange: Exchange, asked: Call, model: LoadedModel, request: AnyBody, tensors: Tensors
    ) -> None:
        try:
            self._submit(exchange, asked, model, request, await model.decoded(tensors))
        except Exception as error:
            self._desk.refuse(asked, model, error)
            raise

    def _submit(self, exchange: Exchange, asked: Call, model: LoadedModel, request: AnyBody, tensors: Tensors) -> None:
        def respond(outputs: Tensors | None, error: Exception | None) -> None:
            try:
                if outputs is None:
                    raise error or ServingError("the engine gave no answer", "send the request again")
                names = [output.name for output in request.outputs] or model.outputs
                reply = answer(exchange, model, request, {name: outputs[name] for name in names})
            except Exception as failed:  # noqa: BLE001 - whatever happens, the client gets an answer
                reply = self._failure(failed)
            exchange.reply(reply)

        work = self._desk.infer(asked, model, tensors, request.parameters, respond)

        def leave() -> None:
            work.dropped = True

        exchange.on_gone = leave

    def _received(self, exchange: Exchange, model: LoadedModel) -> tuple[AnyBody, dict[str, Array]]:
        body, length = exchange.content(), _header_length(exchange)
        if length is None:
            quick = self._quick.read(body)
            if quick is not None:
                return quick
        elif length == 0:
            return raw_request(body, model, self._limits)
        return parse_request(body, length, self._limits)


def told_of(part: str, trouble: Trouble, whole: bool) -> dict[str, Any]:
    """What health tells of a part that failed: names and counts, and the words of its errors to those who may know."""
    counts = {"part": part, "failures": trouble.failures, "lost": trouble.lost, "suffers": bool(trouble.lasting)}
    return {**counts, "last": trouble.last, "lasting": trouble.lasting} if whole else counts


def call(exchange: Exchange) -> Call:
    """Who asks for which model."""
    parameters, headers = exchange.parameters, exchange.headers
    key = token(exchange)
    asked = Call(parameters["model"], parameters.get("version"), key, arrived_ns=exchange.arrived_ns)
    if (traced := headers.get(b"traceparent")) is not None:
        asked.trace = {"traceparent": traced.decode("latin-1")}
    routing = headers.get(_ROUTING)
    if routing is not None:
        asked.routing_key = routing.decode("latin-1")
    elif key is not None:
        asked.routing_key = id_of(key).decode("latin-1")
    return asked


def token(exchange: Exchange) -> bytes | None:
    """The access key that was sent."""
    headers = exchange.headers
    return token_of(headers.get(b"authorization"), headers.get(b"x-api-key"))


def metadata(model: LoadedModel, versions: object) -> dict[str, Any]:
    """What the protocol tells of a model."""
    manifest = model.manifest
    return {
        "name": model.name,
        "versions": versions,
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


def answer(
    exchange: Exchange,
    model: LoadedModel,
    request: AnyBody,
    outputs: dict[str, Array],
    parameters: Mapping[str, Any] | None = None,
) -> Answer:
    """The outputs as the request wants them: JSON, bytes behind JSON, or classes."""
    default = bool(request.parameters) and flag(request.parameters, "binary_data_output", False)
    if default and request.id is None and not request.outputs and parameters is None:
        return _binary(model, outputs)
    binary = dict.fromkeys(outputs, default)
    for output in request.outputs:
        if not output.parameters:
            continue
        binary[output.name] = flag(output.parameters, "binary_data", default)
        if "classification" in output.parameters:
            count = output.parameters["classification"]
            outputs[output.name] = classified(outputs[output.name], count, model.manifest.labels)
    head: dict[str, Any] = {"model_name": model.name, "model_version": model.version}
    if request.id is not None:
        head["id"] = request.id
    if parameters:
        head["parameters"] = parameters
    body, length = render_response(head, outputs, binary)
    if length is None:
        return Answer(body)
    return Answer(body, content_type=_QUICK, headers=[(_HEADER, b"%d" % length)])


def _binary(model: LoadedModel, outputs: Mapping[str, Array]) -> Answer:
    """All outputs in bytes; the JSON before them is the same for all requests of the same shapes."""
    shapes = tuple([values.shape for values in outputs.values()])
    head = model.heads.get(shapes)
    if head is None:
        named: dict[str, Any] = {"model_name": model.name, "model_version": model.version}
        text, length = render_response(named, outputs, dict.fromkeys(outputs, True))
        head = text[:length]
        if len(model.heads) < _HEADS and not any(values.dtype == object for values in outputs.values()):
            model.heads[shapes] = head
    body = b"".join([head, *map(to_bytes, outputs.values())])
    return Answer(body, content_type=_QUICK, headers=[(_HEADER, b"%d" % len(head))])


def raw_request(body: Body, model: LoadedModel, limits: TensorLimits) -> tuple[AnyBody, dict[str, Array]]:
    """A body without JSON: the only input of the model, whose variable dimension follows from the size."""
    specs = tuple(model.inputs.values())
    if len(specs) == 1 and specs[0].datatype == "BYTES":
        return _raw_text(body, specs[0].name, len(specs[0].shape), limits)
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
    return _behind(tensor, body, limits)


def _raw_text(body: Body, name: str, dimensions: int, limits: TensorLimits) -> tuple[AnyBody, dict[str, Array]]:
    """The whole body is the one element."""
    content = len(body).to_bytes(4, "little") + body
    tensor = {
        "name": name,
        "datatype": "BYTES",
        "shape": [1] * dimensions,
        "parameters": {"binary_data_size": len(content)},
    }
    return _behind(tensor, content, limits)


def _behind(tensor: Mapping[str, Any], content: Body, limits: TensorLimits) -> tuple[AnyBody, dict[str, Array]]:
    head = msgspec.json.encode({"inputs": [tensor], "parameters": {"binary_data_output": True}})
    return parse_request(head + content, len(head), limits)


def _header_length(exchange: Exchange) -> int | None:
    value = exchange.headers.get(_HEADER)
    if value is None:
        return None
    if not value.isdigit() or len(value) > 12:
        raise InputError(
            f"Inference-Header-Content-Length is {value[:40].decode('latin-1')!r}, not a number",
            "give the length of the JSON",
        )
    return int(value)
