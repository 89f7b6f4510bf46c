"""What a model answers: the same records for every protocol, which only turns them into bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

if TYPE_CHECKING:
    from glassworks.contracts import Array, Chunk, Explanation, Tensors
    from glassworks.serving.core.model import LoadedModel
    from glassworks.serving.requests import ExplainRequest, InferRequest


class InferResult(msgspec.Struct, frozen=True):
    """The outputs of all rows."""

    model: str
    version: str
    outputs: dict[str, Array]
    """Those that were asked for, in that order."""
    chunk: Chunk | None = None
    """Of which part of a streamed answer they are."""

    @classmethod
    def of(cls, model: LoadedModel, request: InferRequest, outputs: Tensors) -> InferResult:
        """What a request asked for of everything that was computed."""
        chosen = {}
        for name in request.outputs or model.outputs:
            chosen[name] = outputs[name]
        if request.classes:
            _classify(chosen, request.classes, model.manifest.labels)
        return cls(model.name, model.version, chosen)

    @classmethod
    def part(cls, model: LoadedModel, request: InferRequest, chunk: Chunk) -> InferResult:
        """A part of a streamed answer, which may have only some of the outputs, and others than whole answers have."""
        wanted = request.outputs or chunk.outputs
        chosen = {name: chunk.outputs[name] for name in wanted if name in chunk.outputs}
        return cls(model.name, model.version, chosen, chunk)

    def parameters(self) -> dict[str, Any]:
        """What is known of a part of a streamed answer: its tokens so far, and why it is the last one."""
        chunk = self.chunk
        if chunk is None:
            return {}
        found: dict[str, Any] = {
            "prompt_tokens": chunk.prompt_tokens,
            "completion_tokens": chunk.completion_tokens,
            "finish_reason": chunk.finish_reason,
        }
        return {name: value for name, value in found.items() if value}


class ExplainResult(msgspec.Struct, frozen=True):
    """One explanation a row."""

    model: str
    version: str
    explanations: Sequence[Explanation]
    request: ExplainRequest
    predicted: Sequence[str]
    """The names of the model's own outputs."""
    explained: Sequence[str]
    """The same, and those of the attributions."""
    labels: tuple[str, ...]

    @classmethod
    def of(cls, model: LoadedModel, request: ExplainRequest, explanations: Sequence[Explanation]) -> ExplainResult:
        """The explanations of a model for a request."""
        labels = model.manifest.labels
        return cls(model.name, model.version, explanations, request, model.outputs, model.explained, labels)

    def tensors(self) -> dict[str, Array]:
        """Outputs and attributions of all rows; those that were asked for, in that order."""
        found = _explained(self.explanations, self.predicted)
        chosen = {name: found[name] for name in self.request.outputs or self.explained}
        _classify(chosen, self.request.classes, self.labels)
        return chosen

    def parameters(self) -> dict[str, Any]:
        """What is known of the explanations: of one row plainly, of more rows as JSON text in `rows`, since
        parameters cannot be lists."""
        rows = [parameters_of(each) for each in self.explanations]
        if len(rows) == 1:
            return rows[0]
        shared = {name: rows[0][name] for name in ("method", "seed", "artifact_sha256")}
        return {**shared, "rows": msgspec.json.encode(rows).decode()}


def parameters_of(explanation: Explanation) -> dict[str, Any]:
    """How one row was explained, and how good that is."""
    attribution = explanation.attribution
    numbers = {
        "completeness_gap": attribution.gap,
        "baseline_to_try": explanation.baseline_to_try,
        "score": attribution.score,
        "baseline_score": attribution.baseline_score,
        **explanation.quality,
    }
    return {
        "method": explanation.method,
        "target": explanation.target,
        "label": explanation.label,
        **{name: value for name, value in numbers.items() if value is not None and math.isfinite(value)},
        **{f"part.{each['name']}": each["value"] for each in explanation.by_section()},
        "forward": attribution.forward,
        "backward": attribution.backward,
        "seed": explanation.seed,
        "converged": attribution.converged,
        "artifact_sha256": explanation.artifact_sha256,
        "milliseconds": round(explanation.milliseconds, 3),
        **({"details": msgspec.json.encode(explanation.details).decode()} if explanation.details else {}),
    }


def _classify(outputs: dict[str, Array], classes: Sequence[tuple[str, int]], labels: tuple[str, ...]) -> None:
    """Replace values by the largest of each row, as BYTES `value:index:label`."""
    for name, count in classes:
        values = outputs[name]
        scores = np.asarray(values, np.float32).reshape(len(values), -1)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        texts = np.empty(order.shape, object)
        for row, indices in enumerate(order.tolist()):
            for rank, index in enumerate(indices):
                label = f":{labels[index]}" if index < len(labels) else ""
                texts[row, rank] = f"{scores[row, index]:.6f}:{index}{label}".encode()
        outputs[name] = texts


def _explained(explanations: Sequence[Explanation], outputs: Sequence[str]) -> dict[str, Array]:
    """The outputs of all rows, and their attributions: of the input's shape, or by word with its characters."""
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
