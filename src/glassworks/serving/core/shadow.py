"""The shadow of a model: another version computes the same; its answers are compared, counted and thrown away."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from glassworks.errors import InputError, Overloaded
from glassworks.serving.core.work import LEVELS, Work

if TYPE_CHECKING:
    from glassworks.contracts import Tensors
    from glassworks.serving.core.model import LoadedModel
    from glassworks.serving.supervision import Supervisor

_CLOSE = 1e-3
"""Answers that differ by less are the same."""
_clock = time.perf_counter_ns


def cast(shadow: LoadedModel, work: Work, supervisor: Supervisor) -> None:
    """Let another version compute what a request asks for; whatever happens, the request itself is on its way."""

    def done(other: Work) -> None:
        statistics = shadow.statistics
        if other.error is not None:
            statistics.failed(type(other.error).__name__, _clock() - other.queued_ns)
            return
        spent = other.computed_ns - other.started_ns
        statistics.answered(other.rows, 0, other.started_ns - other.queued_ns, spent, 0)
        if work.error is None and not work.dropped and work.outputs:
            statistics.shadow_compared += other.rows
            statistics.shadow_differed += _differing(work.outputs, other.outputs)

    try:
        # A copy: the request's own bytes may be gone when the shadow's turn comes.
        shadow.submit({name: values.copy() for name, values in work.tensors.items()}, done, level=LEVELS)
    except (Overloaded, InputError):
        shadow.statistics.drop()
    except Exception as error:  # noqa: BLE001 - shadows cost nobody an answer
        supervisor.failed("shadow traffic", error)


def _differing(outputs: Tensors, others: Tensors) -> int:
    """In how many rows some output differs."""
    rows = len(next(iter(outputs.values())))
    differs = np.zeros(rows, bool)
    for name, values in outputs.items():
        other = others.get(name)
        if other is None or other.shape != values.shape or other.dtype != values.dtype:
            return rows
        if values.dtype.kind in "fV":
            near = np.isclose(
                values.astype(np.float64), other.astype(np.float64), atol=_CLOSE, rtol=_CLOSE, equal_nan=True
            )
        else:
            near = values == other
        differs |= ~near.reshape(rows, -1).all(axis=1)
    return int(differs.sum())
