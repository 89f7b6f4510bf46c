"""Whether two engines give the same reasons: explanations of both by the same method, about the same class."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from glassworks.contracts import Budget, Probe, Session, Task
from glassworks.errors import InputError, Unsupported
from glassworks.explanation import explain
from glassworks.explanation.quality import agreement
from glassworks.explanation.selection import explainers_for

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from glassworks.contracts import Tensors


def agreements(probe: Probe, examples: int) -> list[float]:
    """Spearman's correlation for each of the first held-out examples that can be explained, evenly chosen.

    Raises Unsupported where none can.
    """
    method, found = explainers_for(probe.task.subject_kind)[0], list[float]()
    rows = len(next(iter(probe.tensors.values())))
    for row in range(0, rows, max(1, rows // examples)):
        one = {name: values[row : row + 1] for name, values in probe.tensors.items()}
        with contextlib.suppress(InputError):
            found.append(_alike(probe, one, method))
        if len(found) == examples:
            break
    if not found:
        raise Unsupported("no held-out example can be explained", "leave explanation_agreement out of the limits")
    return found


def _alike(probe: Probe, tensors: Tensors, method: str) -> float:
    target, theirs = attributed(probe.task, tensors, probe.reference, method, None)
    _, ours = attributed(probe.task, tensors, probe.session, method, target)
    return agreement(ours, theirs)["spearman"]


def attributed(
    task: Task, tensors: Tensors, session: Session, method: str, target: int | None
) -> tuple[int, NDArray[np.float32]]:
    """What is explained of one example (input tensors of one row), and its attributions, by the answers alone."""
    subject = task.subject(tensors, lambda role: session, None)
    found = explain(
        subject, method=method, target=target, budget=Budget(), seed=0, labels=(), artifact_sha256="", grade=False
    )
    return found.target, found.attribution.values
