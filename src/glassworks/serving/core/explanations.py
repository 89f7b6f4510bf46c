"""How one row is explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from glassworks.errors import Overloaded

if TYPE_CHECKING:
    from threading import Event

    from glassworks.contracts import Explanation, Tensors
    from glassworks.packaging.opened import OpenedBundle


@dataclass(frozen=True, kw_only=True)
class ExplainOptions:
    """How to explain; `budget_ms` and `budget_rows`, variants of the input that are computed, limit each row. `asked`
    says of a prompt what is explained.
    """

    method: str | None = None
    target: int | str | None = None
    baseline: float | None = None
    budget_ms: float | None = None
    budget_rows: int | None = None
    seed: int = 0
    grade: bool = True
    asked: Mapping[str, Any] = field(default_factory=dict)


def explain_row(
    opened: OpenedBundle, example: Tensors, options: ExplainOptions, left: Event | None = None
) -> Explanation:
    """Explain one row whose target the task has checked; by the bundle's first method unless one is named.

    `left` is set when nobody waits for it any longer. Raises InputError, and Overloaded
    then.
    """
    from glassworks.explanation import explain

    def check() -> None:
        if left is not None and left.is_set():
            raise Overloaded("the explanation was cancelled: nobody waits for it any longer", "ask again")

    check()
    budget = opened.budget(options.budget_ms, options.budget_rows)
    return explain(
        opened.subject(example, options.baseline, options.asked, budget, check),
        method=options.method or opened.manifest.explainers[0],
        target=options.target,
        budget=budget,
        seed=options.seed,
        grade=options.grade,
        labels=opened.manifest.labels,
        artifact_sha256=opened.bundle.artifact_sha256("predict"),
    )
