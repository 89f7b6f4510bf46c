"""The Open Inference Protocol over HTTP: health, metadata, infer, explain and feedback."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec

from glassworks.errors import ServingError
from glassworks.serving.codec.bodies import HEADER, BodyReader, long_bytes
from glassworks.serving.codec.json_data import LARGE_BYTES
from glassworks.serving.codec.responses import binary_response, render_response
from glassworks.serving.codec.tensors import LARGE_SIZE
from glassworks.serving.descriptions import EXTENSIONS, metadata
from glassworks.serving.endpoints import Context, Protocol, Schema, endpoint, of_model
from glassworks.serving.requests import ExplainRequest, InferRequest, flag
from glassworks.serving.transports.http.exchange import Answer, Exchange, call, failure, json_answer, token

if TYPE_CHECKING:
    from glassworks.contracts import Array
    from glassworks.serving.core.model import LoadedModel
    from glassworks.serving.results import ExplainResult, InferResult
    from glassworks.serving.supervision import Trouble

_BINARY = b"application/octet-stream"


_VALUES: dict[str, Any] = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
_TENSOR = Schema(
    "Tensor",
    {
        "type": "object",
        "required": ["name", "shape", "datatype"],
        "properties": {
            "name": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "datatype": {"type": "string"},
            "parameters": _VALUES,
            "data": {"type": "array"},
        },
    },
)
_OUTPUT = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "parameters": _VALUES},
}
_REQUEST = Schema(
    "InferenceRequest",
    {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "parameters": _VALUES,
            "inputs": {"type": "array", "items": {"$ref": "#/components/schemas/Tensor"}},
            "outputs": {"type": "array", "items": _OUTPUT},
        },
    },
    uses=(_TENSOR,),
)
_FEEDBACK = Schema(
    "Feedback",
    {
        "type": "object",
        "required": ["events"],
        "properties": {"events": {"type": "array", "minItems": 1, "items": {"type": "object"}}},
    },
)


class OpenInference(Protocol):
    """Endpoints over a dispatcher. Each gives its answer to an exchange, or a coroutine for it, or replies itself."""

    def __init__(self, context: Context) -> None:
        self._dispatcher, self._models = context.dispatcher, context.dispatcher.models
        self._reader, self._reader_on_thread = BodyReader(context.limits), BodyReader(context.limits)

    @endpoint("GET", "/v2", "server", "Name, version and extensions of the server.", is_open=True)
    @endpoint("GET", "/v2/", "serverAgain", "The same.", is_open=True, documented=False)
    def server(self, exchange: Exchange) -> Answer:
        """GET /v2"""
        return json_answer({"name": "glassworks", "version": version("glassworks"), "extensions": EXTENSIONS})

    @endpoint("GET", "/v2/health/live", "live", "Whether the process lives.", is_open=True)
    @endpoint("GET", "/v2/health/ready", "ready", "Whether all models can answer.", is_open=True)
    def live(self, exchange: Exchange) -> Answer:
        """GET /v2/health/live and /v2/health/ready; the service listens once its models are warm.

        Troubles change nothing of the status: they are for people to read.
        """
        whole = self._dispatcher.admission.known(token(exchange))
        troubles = [_shown(part, trouble, whole) for part, trouble in self._models.supervisor.troubles.items()]
        return json_answer({"live": True, "ready": True, "troubles": troubles})

    @of_model("GET", "", "metadata", "Inputs, outputs and properties of a model.")
    def metadata(self, exchange: Exchange) -> Answer:
        """GET /v2/models/{model}[/versions/{version}]"""
        model = self._dispatcher.model(call(exchange))
        return json_answer(metadata(model, self._models.versions(model.name)))

    @of_model("GET", "/ready", "modelReady", "Whether a model can answer.")
    def ready(self, exchange: Exchange) -> Answer:
        """GET /v2/models/{model}[/versions/{version}]/ready"""
        self._dispatcher.model(call(exchange))
        return json_answer({"name": exchange.parameters["model"], "ready": True})

    @of_model("POST", "/infer", "infer", "Answers for the rows sent.", takes=_REQUEST, binary=True)
    def infer(self, exchange: Exchange) -> None:
        """POST /v2/models/{model}[/versions/{version}]/infer"""
        request = self._request(exchange)
        exchange.on_gone = self._dispatcher.begin(call(exchange), request.read, request.respond, request.long_bytes)

    @of_model("POST", "/explain", "explain", "Answers with graded attributions.", takes=_REQUEST, binary=True)
    async def explain(self, exchange: Exchange) -> Answer:
        """POST /v2/models/{model}[/versions/{version}]/explain"""
        request = self._request(exchange)
        result = await self._dispatcher.explain(call(exchange), request.read_explain, request.long_bytes)
        return request.explained(result)

    @of_model(
        "POST", "/feedback", "feedback", "What users did, each event once; the next answers heed it.", takes=_FEEDBACK
    )
    async def feedback(self, exchange: Exchange) -> Answer:
        """POST /v2/models/{model}[/versions/{version}]/feedback: what people did; it changes the next answers."""
        return json_answer(dict(await self._dispatcher.learn(call(exchange), exchange.content())))

    def _request(self, exchange: Exchange) -> _Request:
        body = exchange.content()
        size = long_bytes(body, exchange.headers.get(HEADER)) if len(body) > LARGE_BYTES else 0
        return _Request(exchange, self._reader_on_thread if size else self._reader, size)


class _Request(msgspec.Struct):
    """A request that is read when the dispatcher asks for it, and answered in the form that it wants."""

    _exchange: Exchange
    _reader: BodyReader
    long_bytes: int
    _id: str | None = None
    _binary: bool = False
    _mixed: Mapping[str, bool] = {}
    """Whether outputs are sent in bytes, and of which of them the request says so itself."""

    def read(self, model: LoadedModel) -> InferRequest:
        """What is asked for. Raises InputError."""
        exchange = self._exchange
        body, tensors = self._reader.read(exchange.body, exchange.headers, model.inputs)
        self._id = body.id
        self._binary = bool(body.parameters) and flag(body.parameters, "binary_data_output", False)
        parameters = _without_form(body.parameters) if body.parameters else body.parameters
        if not body.outputs:
            return InferRequest(tensors, parameters)
        described = {output.name: output.parameters for output in body.outputs if output.parameters}
        self._mixed = {name: flag(each, "binary_data", self._binary) for name, each in described.items()}
        classes = [(name, each["classification"]) for name, each in described.items() if "classification" in each]
        return InferRequest(tensors, parameters, [output.name for output in body.outputs], classes)

    def read_explain(self, model: LoadedModel) -> ExplainRequest:
        """The same, to explain. Raises InputError."""
        return ExplainRequest.of(self.read(model))

    def respond(self, result: InferResult | None, error: Exception | None) -> None:
        """Send the answer, or what went wrong. A long one is written on a thread."""
        if result is None:
            self._exchange.reply(failure(error or ServingError("the engine gave no answer", "send the request again")))
            return
        size = 0
        for values in result.outputs.values():
            size += values.size
        if size <= LARGE_SIZE:
            self._exchange.reply(self._safely(result))
            return
        writing = asyncio.get_running_loop().run_in_executor(None, self._safely, result)
        writing.add_done_callback(lambda done: self._exchange.reply(done.result()))

    def explained(self, result: ExplainResult) -> Answer:
        """The answer with what is known of the explanations."""
        return self._answer(result.model, result.version, result.tensors(), result.parameters())

    def _safely(self, result: InferResult) -> Answer:
        try:
            if self._binary and self._id is None and not self._mixed:
                body, length = binary_response(result.model, result.version, result.outputs)
                return Answer(body, content_type=_BINARY, headers=[(HEADER, b"%d" % length)])
            return self._answer(result.model, result.version, result.outputs)
        except Exception as failed:  # noqa: BLE001 - whatever happens, the client gets an answer
            return failure(failed)

    def _answer(
        self, model: str, version: str, outputs: Mapping[str, Array], parameters: Mapping[str, Any] | None = None
    ) -> Answer:
        head: dict[str, Any] = {"model_name": model, "model_version": version}
        if self._id is not None:
            head["id"] = self._id
        if parameters:
            head["parameters"] = parameters
        body, length = render_response(head, outputs, {**dict.fromkeys(outputs, self._binary), **self._mixed})
        if length is None:
            return Answer(body)
        return Answer(body, content_type=_BINARY, headers=[(HEADER, b"%d" % length)])


def _without_form(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is asked of the model: not in which form it is sent."""
    return {name: value for name, value in parameters.items() if name != "binary_data_output"}


def _shown(part: str, trouble: Trouble, whole: bool) -> dict[str, Any]:
    """A part that failed, for health: its name and counts, and the texts of its errors for those who may know."""
    counts = {"part": part, "failures": trouble.failures, "lost": trouble.lost, "suffers": bool(trouble.lasting)}
    return {**counts, "last": trouble.last, "lasting": trouble.lasting} if whole else counts
