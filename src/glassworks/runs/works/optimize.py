"""Another search for what to serve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from glassworks import flow
from glassworks.contracts import Progress
from glassworks.record import Record
from glassworks.runs.works._publishing import ModelWork, result_of


class OptimizeRequest(Record):
    """`objective` overrides keys of `[optimization]` in the model's job."""

    model: str
    objective: dict[str, Any] = Field(default_factory=dict)


class Optimize(ModelWork):
    """Search again for what to serve of a model, under another objective; a new version is published."""

    name: ClassVar[str] = "optimize"
    request: ClassVar[type[Record]] = OptimizeRequest

    def run(self, request: OptimizeRequest, progress: Progress) -> Mapping[str, Any]:
        """Raises what the search raises."""
        report, version = flow.optimize(request.model, request.objective, progress=progress)
        return {**result_of(version.reference), "report": report.model_dump(mode="json")}

    def published(self, request: OptimizeRequest, model: str) -> Mapping[str, Any]:
        """The version; its bundle has the report."""
        return result_of(model)
