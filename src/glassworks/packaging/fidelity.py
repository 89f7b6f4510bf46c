"""How far the explanations of a served model can be trusted: measured when it is packaged, on validation examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from glassworks.contracts import Budget, Dataset, Session, Task

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

    from glassworks.explanation import explain
    from glassworks.explanation.quality import agreement
    from glassworks.optimization.measure import predict_all

    opened: dict[str, Session] = {}

    def session(role: str) -> Session:
        if role not in opened:
            opened[role] = sessions(role)
        return opened[role]

    def served(role: str) -> Session:
        return session(role)

    def floating(role: str) -> Session:
        return session("reference" if role == "predict" else role)

    tensors = task.encode(dataset.splits["validation"].x, preprocessing)
    name, values = next(iter(tensors.items()))
    answers = [predict_all(session(role), tensors).argmax(axis=1) for role in ("predict", "reference")]
    maps: dict[str, list[float]] = {"occlusion_spearman": [], "occlusion_top_tenth_iou": []}
    grades: dict[str, list[float]] = {"faithfulness_z": [], "completeness_gap": []}
    for row, target in zip(values[:_EXAMPLES], answers[0][:_EXAMPLES], strict=True):
        example: NDArray[np.float32] = np.ascontiguousarray(row[None], np.float32)
        options: dict[str, Any] = {
            "target": int(target),
            "baseline": None,
            "budget": Budget(),
            "seed": 0,
            "labels": dataset.classes,
            "input_name": name,
            "artifact_sha256": "",
        }
        one = explain(served, example, method="occlusion", grade=False, **options)
        other = explain(floating, example, method="occlusion", grade=False, **options)
        for key, value in agreement(one.attribution.values, other.attribution.values).items():
            maps[f"occlusion_{key}"].append(value)
        graded = explain(served, example, method="integrated_gradients", **options)
        grades["faithfulness_z"].append(graded.quality["faithfulness_z"])
        grades["completeness_gap"].append(graded.attribution.gap or 0.0)
    return {
        "prediction_agreement": float(np.mean(answers[0] == answers[1])),
        **{key: float(np.mean(found)) for key, found in maps.items()},
        **{key: float(np.median(found)) for key, found in grades.items()},
    }
