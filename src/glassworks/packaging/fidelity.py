"""How far the explanations of a served model can be trusted: measured when it is packaged, on validation examples."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from glassworks.contracts import Budget, Dataset, Explanation, Session, Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_EXAMPLES = 16


def measure_fidelity(
    task: Task, dataset: Dataset, preprocessing: Mapping[str, Any], sessions: Callable[[str], Session]
) -> dict[str, float]:
    """Agreement of the float graph and the served one, and the grade of integrated gradients on the served one.

    `prediction_agreement`: share of validation examples with the same answer. `occlusion_spearman` and
    `occlusion_top_tenth_iou`: mean agreement of occlusion maps of both graphs over 16 examples.
    `faithfulness_z`, `completeness_gap`: medians over the same examples, of float gradients judged by the
    served graph's own answers.
    """
    import numpy as np

    from glassworks.optimization.measure import predict_all

    served = functools.cache(sessions)

    def floating(role: str) -> Session:
        return served("reference" if role == "predict" else role)

    tensors = task.encode(dataset.splits["validation"].x, preprocessing)
    name, values = next(iter(tensors.items()))
    answers = [predict_all(served(role), tensors).argmax(axis=1) for role in ("predict", "reference")]
    rows = [
        _compare(served, floating, np.ascontiguousarray(values[row][None], np.float32), name, int(answers[0][row]))
        for row in range(min(_EXAMPLES, len(values)))
    ]
    middle = {"faithfulness_z": np.median, "completeness_gap": np.median}
    return {
        "prediction_agreement": float(np.mean(answers[0] == answers[1])),
        **{key: float(middle.get(key, np.mean)([row[key] for row in rows])) for key in rows[0]},
    }


def _compare(
    served: Callable[[str], Session],
    floating: Callable[[str], Session],
    example: NDArray[np.float32],
    name: str,
    target: int,
) -> dict[str, float]:
    """One example: occlusion maps of both graphs, and integrated gradients graded on the served one."""
    from glassworks.explanation import explain
    from glassworks.explanation.quality import agreement

    def ask(sessions: Callable[[str], Session], method: str, grade: bool) -> Explanation:
        return explain(
            sessions,
            example,
            method=method,
            target=target,
            baseline=None,
            budget=Budget(),
            seed=0,
            labels=(),
            input_name=name,
            artifact_sha256="",
            grade=grade,
        )

    maps = [ask(sessions, "occlusion", False).attribution.values for sessions in (served, floating)]
    graded = ask(served, "integrated_gradients", True)
    return {
        **{f"occlusion_{key}": value for key, value in agreement(maps[0], maps[1]).items()},
        "faithfulness_z": graded.quality["faithfulness_z"],
        "completeness_gap": graded.attribution.gap or 0.0,
    }
