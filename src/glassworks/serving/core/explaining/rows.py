"""Who explains a row: this process, or another one (`apart.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from glassworks.contracts import Explanation, Tensors
    from glassworks.packaging.opened import OpenedBundle


@dataclass(frozen=True, kw_only=True)
class ExplainOptions:
    """How to explain; `budget_ms` holds for each row."""

    method: str | None = None
    target: int | str | None = None
    baseline: float | None = None
    budget_ms: float | None = None
    seed: int = 0
    grade: bool = True


class Rows(Protocol):
    """Explains rows one after the other; called on a thread of its own."""

    apart: bool
    """Whether another process holds what explains; this one then needs to keep none of it open."""

    def explain(self, opened: OpenedBundle, example: Tensors, options: ExplainOptions) -> Explanation:
        """Explain one row of checked inputs. Raises InputError, Overloaded."""

    def let_go(self, opened: OpenedBundle) -> None:
        """Give back what is kept for a bundle."""

    def close(self) -> None:
        """End; nothing is explained any longer."""


class Here:
    """Explains in this process."""

    apart = False

    def explain(self, opened: OpenedBundle, example: Tensors, options: ExplainOptions) -> Explanation:
        """Explain one row of checked inputs. Raises InputError."""
        return explain_row(opened, example, options)

    def let_go(self, opened: OpenedBundle) -> None:
        """Nothing is kept beside the opened bundle."""

    def close(self) -> None:
        """Nothing runs by itself."""


def explain_row(opened: OpenedBundle, example: Tensors, options: ExplainOptions) -> Explanation:
    """Explain one row whose target the task has checked; the bundle's first method unless one is named."""
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
