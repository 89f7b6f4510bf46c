"""The generate extension: inputs and outputs as plain fields of one JSON object, whole or streamed."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from glassworks.errors import InputError
from glassworks.serving.codec.json_data import json_object
from glassworks.serving.codec.tensors import to_json
from glassworks.serving.codec.values import tensor_of
from glassworks.serving.endpoints import Context, Protocol, Schema, of_model
from glassworks.serving.requests import InferRequest
from glassworks.serving.transports.http.exchange import Answer, Body, Exchange, call, failure, json_answer

if TYPE_CHECKING:
    from glassworks.contracts import Array
    from glassworks.serving.core.model import LoadedModel
    from glassworks.serving.results import InferResult

_COMMENT = b":\n\n"
"""Read over by clients."""
_EVENTS = b"text/event-stream; charset=utf-8"
_INPUT, _OUTPUT = "text_input", "text_output"
"""What the protocol calls the one input and the first output of models that write."""
_FIELDS = Schema("Fields", {"type": "object"})


class Generate(Protocol):
    """Endpoints over a dispatcher. Fields that name an input are its one row; all others are parameters."""

    def __init__(self, context: Context) -> None:
        self._dispatcher = context.dispatcher

    @of_model("POST", "/generate", "generate", "Inputs and outputs as plain fields.", takes=_FIELDS)
    async def generate(self, exchange: Exchange) -> Answer:
        """POST /v2/models/{model}[/versions/{version}]/generate"""
        request = _Request(exchange.content())
        result = await self._dispatcher.infer(call(exchange), request.read, request.size_bytes)
        return json_answer(request.fields(result))

    @of_model(
        "POST", "/generate_stream", "generateStream", "The same as events.", takes=_FIELDS, gives="text/event-stream"
    )
    async def stream(self, exchange: Exchange) -> Answer:
        """POST /v2/models/{model}[/versions/{version}]/generate_stream: server-sent events, one a part of the answer.

        What forbids the request is an error of its own; what fails later is an event.
        """
        request = _Request(exchange.content())
        parts = await self._dispatcher.stream(call(exchange), request.read, request.size_bytes)
        headers = [(b"cache-control", b"no-store")]
        return Answer(b"", content_type=_EVENTS, headers=headers, stream=_events(request, parts), filler=_COMMENT)


class _Request:
    """A request that is read when the dispatcher asks for it; an answer repeats its id."""

    def __init__(self, content: Body) -> None:
        self._content, self.size_bytes = content, len(content)
        self._id: dict[str, Any] = {}
        self._names: dict[str, str] = {}
        """Outputs under the protocol's own name for what a text is answered with."""

    def read(self, model: LoadedModel) -> InferRequest:
        """What is asked for. Raises InputError."""
        content = json_object(self._content)
        self._id = {"id": content["id"]} if "id" in content else {}
        if _INPUT in content and len(model.inputs) == 1 and _INPUT not in model.inputs:
            content = {next(iter(model.inputs)): content[_INPUT], **{k: v for k, v in content.items() if k != _INPUT}}
            self._names = {model.outputs[0]: _OUTPUT}
        tensors: dict[str, Array] = {}
        nested = content.get("parameters", {})
        if not isinstance(nested, dict):
            raise InputError("parameters is not an object", "send an object of names and values")
        parameters = dict(nested)
        for name, value in content.items():
            if name in model.inputs:
                tensors[name] = tensor_of([value], model.inputs[name])
            elif name not in ("id", "parameters"):
                parameters[name] = value
        return InferRequest(tensors, parameters)

    def fields(self, result: InferResult) -> Mapping[str, Any]:
        """The answer: a value an output, a list where it has more of them."""
        answer: dict[str, Any] = {"model_name": result.model, "model_version": result.version, **self._id}
        for name, values in result.outputs.items():
            row = to_json(values)
            answer[self._names.get(name, name)] = row[0] if len(row) == 1 else row
        if (parameters := result.parameters()) and "parameters" not in answer:
            answer["parameters"] = parameters
        return answer


async def _events(request: _Request, parts: AsyncGenerator[InferResult, None]) -> AsyncGenerator[bytes, None]:
    try:
        async with contextlib.aclosing(parts):
            async for part in parts:
                yield b"data: " + msgspec.json.encode(request.fields(part)) + b"\n\n"
    except Exception as error:  # noqa: BLE001 - the status is sent already: the error is an event
        yield b"data: " + failure(error).body + b"\n\n"
