"""What a request's JSON asks for, and the answers to it: the same for every transport."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from glassworks.errors import InputError
from glassworks.serving.core.explaining.rows import ExplainOptions

if TYPE_CHECKING:
    from glassworks.contracts import Array, Explanation

_LARGEST = float(np.finfo(np.float32).max)


def wanted_outputs(requested: Sequence[str], outputs: Sequence[str]) -> Sequence[str]:
    """The outputs to send: those asked for, else all. Raises InputError."""
    if not requested:
        return outputs
    names: dict[str, None] = {}
    for name in requested:
        if name not in outputs:
            raise InputError(f"the model has no output '{name[:200]}'", f"its outputs: {', '.join(outputs)}")
        if name in names:
            raise InputError(f"the output '{name}' is asked for twice", "ask for each output once")
        names[name] = None
    return list(names)


def classified(values: Array, count: object, labels: tuple[str, ...]) -> Array:
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


def explain_options(parameters: Mapping[str, Any]) -> ExplainOptions:
    """How to explain, from the parameters of a request. Raises InputError."""
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
        grade=flag(parameters, "grade", True),
    )


def flag(parameters: Mapping[str, Any], name: str, default: bool) -> bool:
    """A parameter that is true or false. Raises InputError."""
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise InputError(f"{name} is {value!r}", "give true or false")
    return value


def explain_parameters(explanations: Sequence[Explanation]) -> dict[str, Any]:
    """Of one row as they are; of several rows as JSON text in `rows`, since parameters cannot be lists."""
    rows = [_parameters(each) for each in explanations]
    if len(rows) == 1:
        return rows[0]
    shared = {name: rows[0][name] for name in ("method", "seed", "artifact_sha256")}
    return {**shared, "rows": msgspec.json.encode(rows).decode()}


def explained(explanations: Sequence[Explanation], outputs: Sequence[str]) -> dict[str, Array]:
    """The outputs of all rows, and their attributions: values by place, or by word with its characters."""
    attributions = f"attributions:{explanations[0].input}"
    found = {name: np.concatenate([each.outputs[name] for each in explanations]) for name in outputs}
    if any(each.names for each in explanations):
        return {**found, **_named(explanations)}
    if not any(each.spans for each in explanations):
        found[attributions] = np.concatenate([each.attribution.values for each in explanations])
        return found
    # Texts have different numbers of words: the shorter ones are filled up with zeros, at the text's end.
    most = max(len(each.spans) for each in explanations)
    values = np.zeros((len(explanations), most), np.float32)
    spans = np.zeros((len(explanations), most, 2), np.int64)
    for row, each in enumerate(explanations):
        count = len(each.spans)
        values[row, :count] = each.attribution.values.ravel()
        spans[row, :count], spans[row, count:] = each.spans, each.spans[-1][1]
    return {**found, attributions: values, f"spans:{explanations[0].input}": spans}


def _named(explanations: Sequence[Explanation]) -> dict[str, Array]:
    """Values with the names that they belong to, as JSON text, since tensors cannot hold objects; shorter rows are
    filled up with zeros and empty names."""
    most, name = max(len(each.names) for each in explanations), explanations[0].input
    values, names = np.zeros((len(explanations), most), np.float32), np.full((len(explanations), most), b"", object)
    for row, each in enumerate(explanations):
        values[row, : len(each.names)] = each.attribution.values.ravel()
        names[row, : len(each.names)] = [msgspec.json.encode(one) for one in each.names]
    return {f"attributions:{name}": values, f"names:{name}": names}


def _number(parameters: Mapping[str, Any], name: str, least: float = -_LARGEST) -> float | None:
    value = parameters.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= _LARGEST:
        raise InputError(f"{name} is {value!r}", f"give a number from {least:g} to {_LARGEST:g}")
    return float(value)


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
