"""How far the explanations of a served model can be trusted: measured when it is packaged, on validation examples."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from glassworks.catalog import get
from glassworks.contracts import Budget, Explainer, Explanation, Session
from glassworks.errors import InputError
from glassworks.explanation.selection import explainers_of

if TYPE_CHECKING:
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
    import numpy as np

    from glassworks.optimization.measure import predict_all

    served = functools.cache(sessions)

    def floating(role: str) -> Session:
        return served("reference" if role == "predict" else role)

    x = parts.dataset.splits["validation"].x
    tensors = parts.task.encode(parts.task.compared(x), parts.preprocessing)
    answers = [predict_all(served(role), tensors) for role in ("predict", "reference")]
    if parts.dataset.classes and answers[0].ndim == 2:
        answers = [scores.argmax(axis=1) for scores in answers]
    rows = _explained(parts, parts.task.compared(x), answers[0], served, floating)
    middle = {"faithfulness_z": np.median, "completeness_gap": np.median}
    return {
        "prediction_agreement": _share_alike(*answers),
        **{key: float(middle.get(key, np.mean)([row[key] for row in rows])) for key in (rows[0] if rows else ())},
    }


def _explained(
    parts: Parts,
    x: Array,
    answers: NDArray[Any],
    served: Callable[[str], Session],
    floating: Callable[[str], Session],
) -> list[dict[str, float]]:
    """The first examples; what is too long is answered, but not explained."""
    rows: list[dict[str, float]] = []
    classes = answers.dtype.kind == "i" and answers.ndim == 1
    for row in range(len(x)):
        tensors = parts.task.encode(x[row : row + 1], parts.preprocessing)
        with contextlib.suppress(InputError):
            rows.append(_compare(parts, served, floating, tensors, int(answers[row]) if classes else None))
        if len(rows) == parts.task.explained:
            break
    return rows


def _share_alike(one: NDArray[Any], other: NDArray[Any]) -> float:
    import numpy as np

    vectors = one.dtype.kind == "f" and one.ndim == 2
    return float(np.mean(np.abs(one - other) <= _CLOSE if vectors else one == other))


def _compare(
    parts: Parts,
    served: Callable[[str], Session],
    floating: Callable[[str], Session],
    tensors: Tensors,
    target: int | None,
) -> dict[str, float]:
    """One example: attributions of both graphs, and integrated gradients graded on the served one."""
    from glassworks.explanation import explain
    from glassworks.explanation.quality import agreement

    def ask(sessions: Callable[[str], Session], method: str, grade: bool) -> Explanation:
        subject, budget = parts.task.subject(tensors, sessions, None), Budget()
        return explain(
            subject, method=method, target=target, budget=budget, seed=0, labels=(), artifact_sha256="", grade=grade
        )

    measured: dict[str, float] = {}
    methods = explainers_of(parts.family)
    anywhere = next((name for name in methods if get(Explainer, name).role == "predict"), None)
    if anywhere is not None:
        maps = [ask(sessions, anywhere, False).attribution.values for sessions in (served, floating)]
        measured |= {f"{anywhere}_{key}": value for key, value in agreement(maps[0], maps[1]).items()}
    if (method := _GRADED if _GRADED in methods else anywhere) is not None:
        graded = ask(served, method, True)
        measured["faithfulness_z"] = graded.quality.get("faithfulness_z", 0.0)
        measured["completeness_gap"] = graded.attribution.gap or 0.0
    return measured
