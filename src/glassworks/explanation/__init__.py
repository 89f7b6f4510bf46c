"""Explanation: why a model answered as it did, and how far that can be trusted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from glassworks.catalog import get
from glassworks.contracts import Budget, Explainer, Explanation, Session
from glassworks.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from glassworks.contracts import Array


def explain(
    sessions: Callable[[str], Session],
    example: NDArray[np.float32],
    *,
    method: str,
    target: int | None,
    baseline: float | NDArray[np.float32] | None,
    budget: Budget,
    seed: int,
    labels: Sequence[str],
    input_name: str,
    artifact_sha256: str,
    grade: bool = True,
) -> Explanation:
    """Explain one example (1 ...) for class `target` (the predicted one when None) and grade the result.

    `sessions` opens an artifact by its role. The prediction that comes with the explanation is the
    predict artifact's own. Raises NotFound for an unknown method, Unsupported where the model has no
    artifact for it, InputError for a class or baseline that does not fit.
    """
    import numpy as np

    start = time.perf_counter()
    explainer = get(Explainer, method)
    predictor = sessions("predict")
    scores = predictor.signature.outputs[0].name
    outputs = predictor.run({input_name: example})
    chosen = _target(outputs[scores], target)
    base = _baseline(baseline, example)
    attribution = explainer.explain(sessions(explainer.role), example, chosen, base, budget, seed)
    quality: dict[str, float] = {}
    if grade and (budget.milliseconds is None or 1e3 * (time.perf_counter() - start) < budget.milliseconds):
        from glassworks.explanation.quality import grade as graded

        def score(rows: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.asarray(predictor.run({input_name: rows}, [scores])[scores], np.float32)[:, chosen]

        quality = graded(score, example, attribution.values, base, seed)
    return Explanation(
        method=method,
        target=chosen,
        label=labels[chosen] if chosen < len(labels) else str(chosen),
        input=input_name,
        attribution=attribution,
        outputs=outputs,
        seed=seed,
        artifact_sha256=artifact_sha256,
        milliseconds=1e3 * (time.perf_counter() - start),
        quality=quality,
    )


def _target(probabilities: Array, target: int | None) -> int:
    if target is None:
        return int(probabilities[0].argmax())
    classes = probabilities.shape[1]
    if not 0 <= target < classes:
        raise InputError(
            f"target is {target}, but the model has {classes} classes", f"give a target from 0 to {classes - 1}"
        )
    return target


def _baseline(baseline: float | NDArray[np.float32] | None, example: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    values = np.asarray(0.0 if baseline is None else baseline, np.float32)
    if not np.isfinite(values).all():
        raise InputError("the baseline holds values that are not finite", "give a finite number, such as 0")
    try:
        return np.ascontiguousarray(np.broadcast_to(values, example.shape))
    except ValueError:
        raise InputError(
            f"the baseline has the shape {list(values.shape)}, the input {list(example.shape)}",
            "give one number, or a tensor of the input's shape",
        ) from None
