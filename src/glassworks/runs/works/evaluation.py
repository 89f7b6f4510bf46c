"""An evaluation of a served model, as clients of `/v1/evals` ask for one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from glassworks.contracts import Progress, Work
from glassworks.errors import Unsupported
from glassworks.record import Record


class EvaluationRequest(Record):
    """`evaluation` is the id of what `POST /v1/evals` has made; `about` is the model that is asked, or its name."""

    evaluation: str
    about: str


class Evaluation(Work):
    """Ask a served model for samples and grade them, by the criteria of an eval of `/v1/evals`."""

    name: ClassVar[str] = "evaluation"
    request: ClassVar[type[Record]] = EvaluationRequest
    by_service: ClassVar[bool] = True

    def about(self, request: EvaluationRequest) -> str:
        """The model, or the name of the eval."""
        return request.about

    def run(self, request: EvaluationRequest, progress: Progress) -> Mapping[str, Any]:
        """Raises Unsupported: its samples come from a service."""
        raise Unsupported("an evaluation is done by a running service", "start one: glassworks serve")
