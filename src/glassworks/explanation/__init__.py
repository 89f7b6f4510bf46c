"""Explanation: why a model answered as it did, and how far that can be trusted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from glassworks.catalog import get
from glassworks.contracts import Budget, Explainer, Explanation, Subject, View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def explain(
    subject: Subject,
    *,
    method: str,
    target: int | str | None,
    budget: Budget,
    seed: int,
    labels: Sequence[str],
    artifact_sha256: str,
    grade: bool = True,
) -> Explanation:
    """Explain a subject's score of class `target` (the predicted one when None) and grade the result.

    Against a baseline that is the example itself nothing can be explained or graded: that is said instead.
    The prediction that comes with the explanation is the predict artifact's own. Raises NotFound for an unknown
    method, Unsupported where the model has no artifact for it, InputError for an unknown target.
    """
    start = time.perf_counter()
    explainer = get(Explainer, method)
    chosen, label = subject.aim(target, labels)
    view, budget = subject.view(explainer.role), subject.within(budget)
    found = explainer.explain(view.session, view.example, chosen, view.baseline, budget, seed)
    another = subject.baseline_to_try if explainer.against_baseline else None
    aligned = subject.align(explainer.role, found.values)
    attribution = replace(found, values=aligned, converged=found.converged and another is None)
    quality: dict[str, float] = {}
    in_time = budget.milliseconds is None or 1e3 * (time.perf_counter() - start) < budget.milliseconds
    if grade and another is None and in_time and subject.orders != 0:
        quality = _graded(subject.view("predict"), chosen, attribution.values, seed, subject.orders)
    return Explanation(
        method=method,
        target=chosen,
        label=label,
        input=subject.input,
        attribution=replace(attribution, values=subject.reported(attribution.values)),
        outputs=subject.outputs,
        seed=seed,
        artifact_sha256=artifact_sha256,
        milliseconds=1e3 * (time.perf_counter() - start),
        quality=quality,
        baseline_to_try=another,
        spans=subject.spans,
        sections=subject.sections,
        names=subject.names,
        details=subject.details(
            lambda other: explainer.explain(view.session, view.example, other, view.baseline, budget, seed)
        ),
    )


def _graded(served: View, target: int, values: NDArray[np.float32], seed: int, orders: int | None) -> dict[str, float]:
    """The grade of values by the served answers themselves."""
    import numpy as np

    from glassworks.explanation.quality import RANDOM_ORDERS, grade

    name, scores = served.session.signature.inputs[0].name, served.session.signature.outputs[0].name

    def score(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(served.session.run({name: rows}, [scores])[scores], np.float32)[:, target]

    return grade(score, served.example, values, served.baseline, seed, orders or RANDOM_ORDERS)
