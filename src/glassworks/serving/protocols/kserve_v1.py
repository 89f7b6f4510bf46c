"""KServe's first protocol: `instances` in, `predictions` or `explanations` out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.errors import InputError
from glassworks.serving.codec.tensors import to_json
from glassworks.serving.codec.values import tensor_of
from glassworks.serving.protocols.answers import explain_options, explain_parameters
from glassworks.serving.protocols.open_inference import call, token
from glassworks.serving.transports.http.exchange import Answer, Exchange, json_answer

if TYPE_CHECKING:
    from glassworks.contracts import Array, Explanation, Tensors
    from glassworks.serving.core.dispatcher import Dispatcher
    from glassworks.serving.core.explaining.rows import ExplainOptions
    from glassworks.serving.core.model import LoadedModel


class KServeV1:
    """Endpoints over a dispatcher."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def models(self, exchange: Exchange) -> Answer:
        """GET /v1/models"""
        key = token(exchange)
        self._dispatcher.permit(key)
        return json_answer({"models": self._dispatcher.visible(key, self._dispatcher.engine.names())})

    def ready(self, exchange: Exchange) -> Answer:
        """GET /v1/models/{model}"""
        return json_answer({"name": self._dispatcher.model(call(exchange)).name, "ready": True})

    async def predict(self, exchange: Exchange) -> Answer:
        """POST /v1/models/{model}:predict"""
        asked = call(exchange)
        model = self._dispatcher.model(asked)
        with self._dispatcher.counted(asked, model):
            tensors = await self._dispatcher.read(asked, exchange.content(), lambda content: _instances(content, model))
        outputs = await self._dispatcher.compute(asked, model, tensors, {})
        rows = {name: _rows(values) for name, values in outputs.items()}
        if len(rows) == 1:
            return json_answer({"predictions": next(iter(rows.values()))})
        count = len(next(iter(rows.values())))
        return json_answer({"predictions": [{name: rows[name][place] for name in rows} for place in range(count)]})

    async def explain(self, exchange: Exchange) -> Answer:
        """POST /v1/models/{model}:explain; how to explain stands beside `instances`."""
        asked = call(exchange)
        model = self._dispatcher.model(asked)

        def read(content: dict[str, Any]) -> tuple[Tensors, ExplainOptions]:
            options = explain_options({name: value for name, value in content.items() if name != "instances"})
            return _instances(content, model), options

        with self._dispatcher.counted(asked, model):
            tensors, options = await self._dispatcher.read(asked, exchange.content(), read)
        found = await self._dispatcher.explain(asked, model, tensors, options)
        explanations = [
            {
                "prediction": {name: _rows(each.outputs[name])[0] for name in model.outputs},
                "attributions": {each.input: _values(each)},
                **({"spans": {each.input: each.spans}} if each.spans else {}),
                **({"names": {each.input: each.names}} if each.names else {}),
                **explain_parameters([each]),
            }
            for each in found
        ]
        return json_answer({"explanations": explanations})


def _values(explanation: Explanation) -> list[Any]:
    """Of the input's shape; of a text one a span, of a history one a name."""
    values = explanation.attribution.values
    return _rows(values.reshape(1, -1) if explanation.spans or explanation.names else values)[0]  # type: ignore[no-any-return]


def _instances(content: Mapping[str, Any], model: LoadedModel) -> Tensors:
    """One tensor an input, of one instance a row: its value where there is one input, else an object by name."""
    instances = content.get("instances")
    if not isinstance(instances, list) or not instances:
        raise InputError("the body has no instances", 'send {"instances": [...]}, one element a row')
    specs = list(model.inputs.values())
    named = all(isinstance(each, dict) and "b64" not in each for each in instances)
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


def _field(instance: Mapping[str, Any], name: str) -> Any:
    if name not in instance:
        raise InputError(f"an instance has no '{name}'", "give each instance all inputs of the model")
    return instance[name]


def _rows(values: Array) -> list[Any]:
    if values.dtype != object:
        return list(values.tolist())
    return list(np.array(to_json(values), object).reshape(values.shape).tolist())
