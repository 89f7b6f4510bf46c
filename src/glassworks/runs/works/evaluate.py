"""A model on its test split, or on other data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from glassworks import flow
from glassworks.contracts import Progress
from glassworks.record import Record
from glassworks.runs.works._publishing import ModelWork


class EvaluateRequest(Record):
    """`data` is a source whose examples are all used, such as `folder:PATH`; left out, the model's own test split.

    `columns` are those of a table, such as `text` and `label`, where they are called otherwise.
    """

    model: str
    data: str | None = None
    columns: dict[str, str] = {}


class Evaluate(ModelWork):
    """Measure a model, with intervals."""

    name: ClassVar[str] = "evaluate"
    request: ClassVar[type[Record]] = EvaluateRequest
    memory_bytes: ClassVar[int] = 2**29

    def run(self, request: EvaluateRequest, progress: Progress) -> Mapping[str, Any]:
        """Raises what reading and measuring raise."""
        found = flow.evaluate(request.model, progress=progress, source=request.data, columns=request.columns)
        metrics = {name: value.model_dump(mode="json") for name, value in found.metrics.items()}
        classes = [each.model_dump(mode="json") for each in found.classes]
        about = {"model": request.model, "data": request.data, "examples": found.examples}
        return {**about, "metrics": metrics, "classes": classes}
