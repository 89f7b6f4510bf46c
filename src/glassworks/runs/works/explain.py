"""Explanations of a model's answers for all examples of a data source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from glassworks.errors import Unsupported
from glassworks.packaging.answered import Answer, repeatable
from glassworks.packaging.opened import OpenedBundle
from glassworks.record import Record
from glassworks.registry import Registry
from glassworks.runs.works._answering import AnsweringRequest, AnsweringWork, presented

if TYPE_CHECKING:
    from glassworks.contracts import Array


class ExplainRequest(AnsweringRequest):
    """`method` is one of the model's, the first if left out; `target` and `baseline` as for a single explanation."""

    method: str | None = None
    target: str | None = None
    baseline: float | None = None
    seed: int = Field(default=0, ge=0)


class Explain(AnsweringWork):
    """Explain the answer for every example of a data source, each with its grade, a line of JSON each."""

    name: ClassVar[str] = "explain"
    request: ClassVar[type[Record]] = ExplainRequest

    def settled(self, request: ExplainRequest) -> ExplainRequest:
        """Raises Unsupported for a model without the method."""
        settled: ExplainRequest = super().settled(request)
        methods = Registry.open().resolve(settled.model).bundle.manifest.explainers
        if settled.method not in (None, *methods) or not methods:
            asked = f"no explanation method '{settled.method}'" if methods else "no explanation method"
            raise Unsupported(f"'{request.model}' has {asked}", f"it has: {', '.join(methods) or 'none'}")
        return settled

    def answer(self, opened: OpenedBundle, request: ExplainRequest) -> Answer:
        """The answer, and why; one at a time, without a limit on time: that would make it depend on the machine."""
        options = request.model_dump(include={"method", "target", "baseline", "seed"})

        def explained(x: Array) -> list[dict[str, Any]]:
            return [{**said, "explanation": repeatable(opened.explain(x, **options))} for said in presented(opened, x)]

        return explained

    def rows(self, opened: OpenedBundle) -> int:
        """One: each may take long."""
        return 1
