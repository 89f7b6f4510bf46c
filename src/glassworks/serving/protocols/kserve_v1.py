"""KServe's first protocol: `instances` in, `predictions` or `explanations` out.

OpenAI's clients list models at the same paths: both find in the answers what they look for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.errors import InputError
from glassworks.serving.codec.json_data import json_object
from glassworks.serving.codec.tensors import to_json
from glassworks.serving.codec.uploads import is_form, rows_of
from glassworks.serving.codec.values import tensor_of
from glassworks.serving.endpoints import Context, Protocol, Schema, endpoint
from glassworks.serving.protocols._openai.listing import described, id_of, listed, named
from glassworks.serving.requests import ExplainRequest, InferRequest, call_of
from glassworks.serving.results import parameters_of
from glassworks.serving.transports.http.exchange import Answer, Exchange, call, json_answer, token

if TYPE_CHECKING:
    from glassworks.contracts import Array, Explanation, Tensors, TensorSpec
    from glassworks.serving.core.model import LoadedModel


_INSTANCES = Schema(
    "Instances",
    {
        "type": "object",
        "required": ["instances"],
        "properties": {"instances": {"type": "array", "minItems": 1}},
    },
)


class KServeV1(Protocol):
    """Endpoints over a dispatcher."""

    def __init__(self, context: Context) -> None:
        self._dispatcher = context.dispatcher

    @endpoint("GET", "/v1/models", "modelsV1", "The names of the models.")
    def models(self, exchange: Exchange) -> Answer:
        """GET /v1/models"""
        names = self._dispatcher.admission.visible(token(exchange), self._dispatcher.models.names())
        return json_answer({"object": "list", "data": listed(self._dispatcher, token(exchange)), "models": names})

    @endpoint("GET", "/v1/models/{model}", "readyV1", "Whether a model can answer.", dispatched=True)
    def ready(self, exchange: Exchange) -> Answer:
        """GET /v1/models/{model}"""
        asked = exchange.parameters["model"]
        found = named(self._dispatcher, call_of(exchange.headers, *id_of(asked), exchange.arrived_ns))
        return json_answer({"name": found.name, "ready": True, **described(found, asked)})

    @endpoint(
        "POST",
        "/v1/models/{model}:predict",
        "predictV1",
        "Predictions for instances.",
        takes=_INSTANCES,
        dispatched=True,
    )
    async def predict(self, exchange: Exchange) -> Answer:
        """POST /v1/models/{model}:predict"""
        content = exchange.content()

        def read(model: LoadedModel) -> InferRequest:
            if is_form(exchange.headers):
                return InferRequest(*rows_of(exchange.headers[b"content-type"], content, model.inputs))
            return InferRequest(_instances(json_object(content), model))

        result = await self._dispatcher.infer(call(exchange), read, len(content))
        rows = {name: _rows(values) for name, values in result.outputs.items()}
        if len(rows) == 1:
            return json_answer({"predictions": next(iter(rows.values()))})
        count = len(next(iter(rows.values())))
        return json_answer({"predictions": [{name: rows[name][row] for name in rows} for row in range(count)]})

    @endpoint(
        "POST",
        "/v1/models/{model}:explain",
        "explainV1",
        "Explanations of instances.",
        takes=_INSTANCES,
        dispatched=True,
    )
    async def explain(self, exchange: Exchange) -> Answer:
        """POST /v1/models/{model}:explain; how to explain is beside `instances`."""
        content = exchange.content()

        def read(model: LoadedModel) -> ExplainRequest:
            if is_form(exchange.headers):
                tensors, given = rows_of(exchange.headers[b"content-type"], content, model.inputs)
                return ExplainRequest.of(InferRequest(tensors, given))
            fields = json_object(content)
            options = {name: value for name, value in fields.items() if name != "instances"}
            return ExplainRequest.of(InferRequest(_instances(fields, model), options))

        result = await self._dispatcher.explain(call(exchange), read, len(content))
        explanations = [
            {
                "prediction": {name: _rows(each.outputs[name])[0] for name in result.predicted},
                "attributions": {each.input: _values(each)},
                **({"spans": {each.input: each.spans}} if each.spans else {}),
                **({"parts": {each.input: each.by_section()}} if each.sections else {}),
                **({"names": {each.input: each.names}} if each.names else {}),
                **parameters_of(each),
            }
            for each in result.explanations
        ]
        return json_answer({"explanations": explanations})


def _values(explanation: Explanation) -> list[Any]:
    """Of the input's shape; of a text one a word, of a history one a name."""
    values = explanation.attribution.values
    return _rows(values.reshape(1, -1) if explanation.spans or explanation.names else values)[0]  # type: ignore[no-any-return]


def _instances(content: Mapping[str, Any], model: LoadedModel) -> Tensors:
    """One tensor an input, of one instance a row: its value where there is one input, else an object by name."""
    instances = content.get("instances")
    if not isinstance(instances, list) or not instances:
        raise InputError("the body has no instances", 'send {"instances": [...]}, one element a row')
    named = all(isinstance(each, dict) and "b64" not in each for each in instances)
    specs = _specs(instances[0], model) if named else list(model.inputs.values())
    tensors: dict[str, Array] = {}
    for spec in specs:
        if named:
            values: Sequence[Any] = [_field(each, spec.name) for each in instances]
        elif len(specs) == 1:
            values = instances
        else:
            raise InputError(
                f"the model has {len(specs)} inputs", f"make each instance an object of: {', '.join(model.inputs)}"
            )
        tensors[spec.name] = tensor_of(values, spec)
    return tensors


def _specs(instance: Mapping[str, Any], model: LoadedModel) -> list[TensorSpec]:
    """The inputs, or the parts of a text that an instance names in their stead."""
    specs = list(model.inputs.values())
    parts = model.opened.task.aliases(model.manifest.preprocessing)
    if parts and set(instance) == set(parts):
        return [specs[0].model_copy(update={"name": name}) for name in parts]
    return specs


def _field(instance: Mapping[str, Any], name: str) -> Any:
    if name not in instance:
        raise InputError(f"an instance has no '{name}'", "give each instance all inputs of the model")
    return instance[name]


def _rows(values: Array) -> list[Any]:
    if values.dtype != object:
        return list(values.tolist())
    return list(np.array(to_json(values), object).reshape(values.shape).tolist())
