"""The Open Inference Protocol over HTTP: health, metadata, infer and explain."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from glassworks.errors import ServingError
from glassworks.serving.access.gate import token_of
from glassworks.serving.access.keys import id_of
from glassworks.serving.codec.json_data import LARGE_BYTES
from glassworks.serving.codec.quick import QuickReader
from glassworks.serving.codec.tensors import LARGE_SIZE, AnyBody, TensorLimits, parse_request, render_response, to_bytes
from glassworks.serving.core.dispatcher import Call, Dispatcher
from glassworks.serving.protocols.answers import (
    classified,
    explain_options,
    explain_parameters,
    explained,
    flag,
    wanted_outputs,
)
from glassworks.serving.protocols.raw_body import HEADER, header_length, is_long, raw_request
from glassworks.serving.transports.http.exchange import Answer, Body, Exchange, json_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from glassworks.contracts import Array, Tensors
    from glassworks.serving.core.model import LoadedModel
    from glassworks.serving.supervision import Trouble

EXTENSIONS = (
    "binary_tensor_data", "classification", "generate", "glassworks_explain", "model_configuration",
    "model_repository", "model_repository(unload_dependents)", "parameters", "schedule_policy", "statistics",
)  # fmt: skip
_ROUTING = b"x-routing-key"
_QUICK = b"application/octet-stream"
_HEADS = 256
_QUICK_BYTES = 2**22
"""A larger body is read in pieces: the quick reader holds the interpreter until it is done."""


class OpenInference:
    """Endpoints over a dispatcher. Each gives its answer to an exchange, or a coroutine for it, or replies itself."""

    def __init__(self, dispatcher: Dispatcher, failure: Callable[[Exception], Answer], limits: TensorLimits) -> None:
        self._dispatcher, self._engine, self._failure, self._limits = dispatcher, dispatcher.engine, failure, limits
        self._quick, self._quick_beside = QuickReader(limits), QuickReader(limits)

    def server(self, exchange: Exchange) -> Answer:
        """GET /v2"""
        return json_answer({"name": "glassworks", "version": version("glassworks"), "extensions": EXTENSIONS})

    def live(self, exchange: Exchange) -> Answer:
        """GET /v2/health/live and /v2/health/ready; the service listens once its models are warm.

        Troubles change nothing of the status: what is told of them is for people.
        """
        whole = self._dispatcher.known(token(exchange))
        troubles = [told_of(part, trouble, whole) for part, trouble in self._engine.supervisor.troubles.items()]
        return json_answer({"live": True, "ready": True, "troubles": troubles})

    def metadata(self, exchange: Exchange) -> Answer:
        """GET /v2/models/{model}[/versions/{version}]"""
        model = self._dispatcher.model(call(exchange))
        return json_answer(metadata(model, self._engine.versions(model.name)))

    def ready(self, exchange: Exchange) -> Answer:
        """GET /v2/models/{model}[/versions/{version}]/ready"""
        self._dispatcher.model(call(exchange))
        return json_answer({"name": exchange.parameters["model"], "ready": True})

    def infer(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        """POST /v2/models/{model}[/versions/{version}]/infer"""
        asked, model = call(exchange), None
        try:
            model = self._dispatcher.model(asked)
            body = exchange.content()
            if len(body) > LARGE_BYTES and is_long(exchange):
                return self._infer_beside(exchange, asked, model)
            request, tensors = self._received(exchange, body, model, self._quick)
            if request.outputs:
                wanted_outputs([output.name for output in request.outputs], model.outputs)
            ready = model.checked(tensors)
            if ready is None:
                return self._infer_files(exchange, asked, model, request, tensors)
            self._submit(exchange, asked, model, request, ready)
        except Exception as error:
            self._dispatcher.refuse(asked, model, error)
            raise
        return None

    async def explain(self, exchange: Exchange) -> Answer:
        """POST /v2/models/{model}[/versions/{version}]/explain"""
        asked = call(exchange)
        model = self._dispatcher.model(asked)
        with self._dispatcher.counted(asked, model):
            request, tensors = await self._received_all(exchange, asked, model)
            wanted = wanted_outputs([output.name for output in request.outputs], model.explained)
            options = explain_options(request.parameters)
        explanations = await self._dispatcher.explain(asked, model, tensors, options)
        outputs = explained(explanations, model.outputs)
        chosen = {name: outputs[name] for name in wanted}
        return answer(exchange, model, request, chosen, explain_parameters(explanations))

    async def feedback(self, exchange: Exchange) -> Answer:
        """POST /v2/models/{model}[/versions/{version}]/feedback: what people did; it changes the next answers."""
        asked = call(exchange)
        model = self._dispatcher.model(asked)
        with self._dispatcher.counted(asked, model):
            told = await self._dispatcher.read(asked, exchange.content(), dict)
        return json_answer(dict(await self._dispatcher.learn(asked, model, told)))

    async def _infer_beside(self, exchange: Exchange, asked: Call, model: LoadedModel) -> None:
        with self._dispatcher.counted(asked, model):
            request, tensors = await self._received_all(exchange, asked, model)
            wanted_outputs([output.name for output in request.outputs], model.outputs)
            ready = model.checked(tensors)
            if ready is None:
                ready = await self._dispatcher.decoded(asked, model, tensors, request.parameters)
            self._submit(exchange, asked, model, request, ready)

    async def _infer_files(
        self, exchange: Exchange, asked: Call, model: LoadedModel, request: AnyBody, tensors: Tensors
    ) -> None:
        with self._dispatcher.counted(asked, model):
            ready = await self._dispatcher.decoded(asked, model, tensors, request.parameters)
            self._submit(exchange, asked, model, request, ready)

    def _submit(self, exchange: Exchange, asked: Call, model: LoadedModel, request: AnyBody, tensors: Tensors) -> None:
        def respond(outputs: Tensors | None, error: Exception | None) -> None:
            try:
                if outputs is None:
                    raise error or ServingError("the engine gave no answer", "send the request again")
                names = [output.name for output in request.outputs] or model.outputs
                wanted, size = {}, 0
                for name in names:
                    wanted[name] = values = outputs[name]
                    size += values.size
                if size > LARGE_SIZE:
                    self._answer_beside(exchange, model, request, wanted)
                    return
                reply = answer(exchange, model, request, wanted)
            except Exception as failed:  # noqa: BLE001 - whatever happens, the client gets an answer
                reply = self._failure(failed)
            exchange.reply(reply)

        work = self._dispatcher.infer(asked, model, tensors, request.parameters, respond)

        def leave() -> None:
            work.dropped = True

        exchange.on_gone = leave

    def _answer_beside(
        self, exchange: Exchange, model: LoadedModel, request: AnyBody, outputs: dict[str, Array]
    ) -> None:
        """Write a long answer on a thread."""

        def written() -> Answer:
            try:
                return answer(exchange, model, request, outputs)
            except Exception as failed:  # noqa: BLE001 - whatever happens, the client gets an answer
                return self._failure(failed)

        writing = asyncio.get_running_loop().run_in_executor(None, written)
        writing.add_done_callback(lambda done: exchange.reply(done.result()))

    async def _received_all(
        self, exchange: Exchange, asked: Call, model: LoadedModel
    ) -> tuple[AnyBody, dict[str, Array]]:
        """The request and its tensors, read on a thread where that takes long."""
        body = exchange.content()
        if len(body) <= LARGE_BYTES or not is_long(exchange):
            return self._received(exchange, body, model, self._quick)
        reader = self._quick_beside
        return await self._dispatcher.beside(asked, len(body), lambda: self._received(exchange, body, model, reader))

    def _received(
        self, exchange: Exchange, body: Body, model: LoadedModel, reader: QuickReader
    ) -> tuple[AnyBody, dict[str, Array]]:
        length = header_length(exchange)
        if length is None:
            quick = reader.read(body) if len(body) <= _QUICK_BYTES else None
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
    return Answer(body, content_type=_QUICK, headers=[(HEADER, b"%d" % length)])


def _binary(model: LoadedModel, outputs: Mapping[str, Array]) -> Answer:
    """All outputs in bytes; the JSON before them is the same for all requests of the same shapes."""
    shapes = tuple([values.shape for values in outputs.values()])
    head = model.heads.get(shapes)
    if head is None:
        named: dict[str, Any] = {"model_name": model.name, "model_version": model.version}
        text, length = render_response(named, outputs, dict.fromkeys(outputs, True))
        head = text[:length]
        if len(model.heads) < _HEADS and not any(values.dtype.hasobject for values in outputs.values()):
            model.heads[shapes] = head
    body = b"".join([head, *map(to_bytes, outputs.values())])
    return Answer(body, content_type=_QUICK, headers=[(HEADER, b"%d" % len(head))])
