"""Explanation: why a model answered as it did, and how far that can be trusted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from glassworks.catalog import get
from glassworks.contracts import Budget, Explainer, Explanation, Subject
from glassworks.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from glassworks.contracts import Array


def explain(
    subject: Subject,
    *,
    method: str,
    target: int | None,
    budget: Budget,
    seed: int,
    labels: Sequence[str],
    artifact_sha256: str,
    grade: bool = True,
) -> Explanation:
    """Explain a subject's score of class `target` (the predicted one when None) and grade the result.

    The prediction that comes with the explanation is the predict artifact's own. Raises NotFound for an unknown
    method, Unsupported where the model has no artifact for it, InputError for a class that is none.
    """
    import numpy as np

    start = time.perf_counter()
    explainer = get(Explainer, method)
    chosen = _target(next(iter(subject.outputs.values())), target)
    view = subject.view(explainer.role)
    found = explainer.explain(view.session, view.example, chosen, view.baseline, budget, seed)
    attribution = replace(found, values=subject.place(explainer.role, found.values))
    quality: dict[str, float] = {}
    if grade and (budget.milliseconds is None or 1e3 * (time.perf_counter() - start) < budget.milliseconds):
        from glassworks.explanation.quality import grade as graded

        served = subject.view("predict")
        name, scores = served.session.signature.inputs[0].name, served.session.signature.outputs[0].name

        def score(rows: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.asarray(served.session.run({name: rows}, [scores])[scores], np.float32)[:, chosen]

        quality = graded(score, served.example, attribution.values, served.baseline, seed)
    return Explanation(
        method=method,
        target=chosen,
        label=labels[chosen] if chosen < len(labels) else str(chosen),
        input=subject.input,
        attribution=attribution,
        outputs=subject.outputs,
        seed=seed,
        artifact_sha256=artifact_sha256,
        milliseconds=1e3 * (time.perf_counter() - start),
        quality=quality,
        spans=subject.spans,
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
