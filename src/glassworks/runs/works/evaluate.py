"""A model on its test split, or on other data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from glassworks import flow
from glassworks.comparison.gates import measure_gate
from glassworks.contracts import Evaluation, Progress
from glassworks.record import Record
from glassworks.registry import Registry
from glassworks.registry.gates import Gates
from glassworks.runs.works._publishing import ModelWork


class EvaluateQuestions(Record):
    """What a language model is asked on `data`: see `glassworks evaluate`."""

    template: str = Field(default="", max_length=10_000)
    plain: bool = False
    limit: int = Field(default=0, ge=0)
    max_tokens: int = Field(default=0, ge=0, le=2**20)


class EvaluateRequest(Record):
    """`data` is a source whose examples are all used, such as `folder:PATH`; left out, the model's own test split.

    `columns` are those of a table, such as `text` and `label`, where they are called otherwise; `against` is another
    version, which is measured on the same examples.
    """

    model: str
    data: str | None = None
    columns: dict[str, str] = {}
    against: str = ""
    gate: str = Field(default="", max_length=63)
    """A set that is registered with the model: it is measured there, and the result kept."""
    questions: EvaluateQuestions = EvaluateQuestions()


class Evaluate(ModelWork):
    """Measure a model, with intervals, and against another version."""

    name: ClassVar[str] = "evaluate"
    request: ClassVar[type[Record]] = EvaluateRequest
    memory_bytes: ClassVar[int] = 2**29

    def settled(self, request: EvaluateRequest) -> EvaluateRequest:
        """With both versions. Raises NotFound and BundleError."""
        pinned: EvaluateRequest = super().settled(request)
        if not request.against:
            return pinned
        return pinned.model_copy(update={"against": Registry.open().resolve(request.against).pinned(request.against)})

    def run(self, request: EvaluateRequest, progress: Progress) -> Mapping[str, Any]:
        """Raises what reading and measuring raise."""
        if request.gate:
            return self._gate(request, progress)
        asked = request.questions.model_dump(exclude_defaults=True)
        found = flow.evaluate(
            request.model,
            progress=progress,
            source=request.data,
            columns=request.columns,
            against=request.against,
            **asked,
        )
        return _result(request, found)

    def _gate(self, request: EvaluateRequest, progress: Progress) -> Mapping[str, Any]:
        registry = Registry.open()
        version = registry.find(request.model)
        gate = Gates(registry).get(version.name, request.gate)
        return _result(request, measure_gate(gate, version.version, registry, progress))


def _result(request: EvaluateRequest, found: Evaluation) -> dict[str, Any]:
    result: dict[str, Any] = {"model": request.model, "data": request.data, "examples": found.examples}
    for name in ("metrics", "against"):
        result[name] = {key: value.model_dump(mode="json") for key, value in getattr(found, name).items()}
    return {**result, "classes": [each.model_dump(mode="json") for each in found.classes], "about": found.about}
