"""How far the explanations of a served model can be trusted: measured when it is packaged, on validation examples."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glassworks.catalog import get
from glassworks.contracts import Budget, Explainer, Explanation, Session
from glassworks.errors import InputError
from glassworks.explanation.selection import explainers_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from glassworks.contracts import Array, Tensors
    from glassworks.packaging.parts import Parts

_GRADED = "integrated_gradients"
_CLOSE = 0.01


def measure_fidelity(parts: Parts, sessions: Callable[[str], Session]) -> dict[str, float]:
    """Agreement of the float graph and the served one, and the grade of integrated gradients on the served one.

    `prediction_agreement`: share of validation examples with the same answer; of pictures of values that are the same,
    of vectors of those within 0.01.
    `NAME_spearman` and `NAME_top_tenth_iou`: mean agreement of both graphs' attributions over the first examples, as
    many as the task says, that can be explained, by the family's first method that needs predictions only.
    `faithfulness_z`, `completeness_gap`: medians over the same examples, of float gradients graded by the served
    graph's own answers; without gradients, of that method.
    """
    from glassworks.optimization.measure import predict_all

    def floating(role: str) -> Session:
        return sessions("reference" if role == "predict" else role)

    compared = parts.task.compared(parts.dataset.splits["validation"].x)
    tensors = parts.task.encode(compared, parts.preprocessing)
    ours = predict_all(sessions("predict"), tensors)
    classes = bool(parts.dataset.classes) and ours.ndim == 2
    ours = ours.argmax(axis=1) if classes else ours
    targets = ours if ours.dtype.kind == "i" and ours.ndim == 1 else None
    rows = _explained(parts, compared, targets, sessions)
    # Only now what they are compared with: of large models one is open at a time.
    exact = any(artifact.role == "reference" for artifact in parts.artifacts)
    theirs = predict_all(floating("predict"), tensors) if exact else ours
    agreements = _agreements(parts, rows, floating if exact else None)
    measured = [{**agreement, **row.graded} for agreement, row in zip(agreements, rows, strict=True)]
    alike = _share_alike(ours, theirs.argmax(axis=1) if classes and exact else theirs)
    return {"prediction_agreement": alike, **_middle(measured)}


def _middle(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of what is graded the medians, of agreements the means."""
    import numpy as np

    middle = {"faithfulness_z": np.median, "completeness_gap": np.median}
    return {key: float(middle.get(key, np.mean)([row[key] for row in rows])) for key in (rows[0] if rows else ())}


@dataclass(frozen=True, kw_only=True)
class _Explained:
    """An example as the served graph explains it: `values` by the family's first method that needs predictions only,
    and what is graded.
    """

    tensors: Tensors
    target: int | None
    values: NDArray[np.float32] | None
    graded: dict[str, float]


def _explained(
    parts: Parts, x: Array, targets: NDArray[Any] | None, sessions: Callable[[str], Session]
) -> list[_Explained]:
    """The first examples by the served graph; what is too long is answered, but not explained."""
    rows: list[_Explained] = []
    for row in range(len(x)):
        tensors = parts.task.encode(x[row : row + 1], parts.preprocessing)
        with contextlib.suppress(InputError):
            rows.append(_served(parts, tensors, None if targets is None else int(targets[row]), sessions))
        if len(rows) == parts.task.explained:
            break
    return rows


def _served(parts: Parts, tensors: Tensors, target: int | None, sessions: Callable[[str], Session]) -> _Explained:
    anywhere, graded = _methods(parts)
    values = _asked(parts, sessions, tensors, target, anywhere).attribution.values if anywhere else None
    measured = dict[str, float]()
    if graded is not None:
        found = _asked(parts, sessions, tensors, target, graded, grade=True)
        measured["faithfulness_z"] = found.quality.get("faithfulness_z", 0.0)
        measured["completeness_gap"] = found.attribution.gap or 0.0
    return _Explained(tensors=tensors, target=target, values=values, graded=measured)


def _agreements(
    parts: Parts, rows: Sequence[_Explained], floating: Callable[[str], Session] | None
) -> list[dict[str, float]]:
    """How alike the float graph explains the same examples; None where it is the one that is served."""
    from glassworks.explanation.quality import agreement

    anywhere, _ = _methods(parts)
    if anywhere is None:
        return [{} for _ in rows]
    found = list[dict[str, float]]()
    for row in rows:
        other = row.values
        if floating is not None:
            other = _asked(parts, floating, row.tensors, row.target, anywhere).attribution.values
        alike = {} if row.values is None or other is None else agreement(row.values, other)
        found.append({f"{anywhere}_{key}": value for key, value in alike.items()})
    return found


def _methods(parts: Parts) -> tuple[str | None, str | None]:
    """The family's first method that needs predictions only, and the one that is graded."""
    methods = explainers_of(parts.family)
    anywhere = next((name for name in methods if get(Explainer, name).role == "predict"), None)
    return anywhere, _GRADED if _GRADED in methods else anywhere


def _asked(
    parts: Parts,
    sessions: Callable[[str], Session],
    tensors: Tensors,
    target: int | None,
    method: str,
    *,
    grade: bool = False,
) -> Explanation:
    from glassworks.explanation import explain

    subject, budget = parts.task.subject(tensors, sessions, None), Budget()
    return explain(
        subject, method=method, target=target, budget=budget, seed=0, labels=(), artifact_sha256="", grade=grade
    )


def _share_alike(one: NDArray[Any], other: NDArray[Any]) -> float:
    import numpy as np

    vectors = one.dtype.kind == "f" and one.ndim == 2
    return float(np.mean(np.abs(one - other) <= _CLOSE if vectors else one == other))
