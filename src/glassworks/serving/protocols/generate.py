"""The generate extension: inputs and outputs as plain fields of one JSON object, whole or streamed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from glassworks.errors import InputError
from glassworks.serving.app import failure
from glassworks.serving.codec.tensors import to_json
from glassworks.serving.codec.values import tensor_of
from glassworks.serving.protocols.open_inference import call
from glassworks.serving.transports.http.exchange import Answer, Exchange, json_answer

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors
    from glassworks.serving.core.dispatcher import Call, Dispatcher
    from glassworks.serving.core.model import LoadedModel

_EVENTS = b"text/event-stream; charset=utf-8"


class _Asked(NamedTuple):
    """A request that was read; `named` is its id, where it has one."""

    call: Call
    model: LoadedModel
    tensors: Tensors
    parameters: Mapping[str, Any]
    named: Mapping[str, Any]


class Generate:
    """Endpoints over a dispatcher. Fields that name an input are its one row; all others are parameters."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    async def generate(self, exchange: Exchange) -> Answer:
        """POST /v2/models/{model}[/versions/{version}]/generate"""
        return json_answer(await self._answer(await self._asked(exchange)))

    async def stream(self, exchange: Exchange) -> Answer:
        """POST /v2/models/{model}[/versions/{version}]/generate_stream: server-sent events, one an answer."""
        # What forbids the request is an error of its own; what fails later is an event.
        asked = await self._asked(exchange)
        headers = [(b"cache-control", b"no-store")]
        return Answer(b"", content_type=_EVENTS, headers=headers, stream=self._events(asked))

    async def _events(self, asked: _Asked) -> AsyncIterator[bytes]:
        try:
            event = msgspec.json.encode(await self._answer(asked))
        except Exception as error:  # noqa: BLE001 - the status is sent already: the stream tells it
            event = failure(error).body
        yield b"data: " + event + b"\n\n"

    async def _asked(self, exchange: Exchange) -> _Asked:
        asked = call(exchange)
        model = self._dispatcher.model(asked)

        def read(content: dict[str, Any]) -> _Asked:
            tensors, parameters = _split(content, model)
            named = {"id": content["id"]} if "id" in content else {}
            return _Asked(asked, model, tensors, parameters, named)

        with self._dispatcher.counted(asked, model):
            return await self._dispatcher.read(asked, exchange.content(), read)

    async def _answer(self, asked: _Asked) -> dict[str, Any]:
        model = asked.model
        outputs = await self._dispatcher.compute(asked.call, model, asked.tensors, asked.parameters)
        answer: dict[str, Any] = {"model_name": model.name, "model_version": model.version, **asked.named}
        for name, values in outputs.items():
            row = to_json(values)
            answer[name] = row[0] if len(row) == 1 else row
        return answer


def _split(content: Mapping[str, Any], model: LoadedModel) -> tuple[Tensors, dict[str, Any]]:
    tensors: dict[str, Array] = {}
    nested = content.get("parameters", {})
    if not isinstance(nested, dict):
        raise InputError("parameters is not an object", "send an object of names and values")
    parameters: dict[str, Any] = dict(nested)
    for name, value in content.items():
        if name in model.inputs:
            tensors[name] = tensor_of([value], model.inputs[name])
        elif name not in ("id", "parameters"):
            parameters[name] = value
    return tensors, parameters
