"""How one row is explained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glassworks.contracts import Explanation, Tensors
    from glassworks.packaging.opened import OpenedBundle


@dataclass(frozen=True, kw_only=True)
class ExplainOptions:
    """How to explain; `budget_ms` is the limit of each row."""

    method: str | None = None
    target: int | str | None = None
    baseline: float | None = None
    budget_ms: float | None = None
    seed: int = 0
    grade: bool = True


def explain_row(opened: OpenedBundle, example: Tensors, options: ExplainOptions) -> Explanation:
    """Explain one row whose target the task has checked; by the bundle's first method unless one is named.

    Raises InputError.
    """
    from glassworks.explanation import explain

    return explain(
        opened.subject(example, options.baseline),
        method=options.method or opened.manifest.explainers[0],
        target=options.target,
        budget=opened.budget(options.budget_ms),
        seed=options.seed,
        grade=options.grade,
        labels=opened.manifest.labels,
        artifact_sha256=opened.bundle.artifact_sha256("predict"),
    )
