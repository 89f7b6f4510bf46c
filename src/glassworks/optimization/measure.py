"""Measures opened candidates on this machine: latency side by side, and metrics on held-out examples."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from glassworks.contracts import Progress, Session

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glassworks.contracts import Tensors

_WARM_UP = 5
_BLOCK = 10
_CALLS = 300
"""Enough for a 99th percentile: of 299 calls the largest exceeds the true one with 95 % probability."""
_ROWS = 128


def measure_latencies(
    sessions: Mapping[str, Session],
    tensors: Tensors,
    batch: int,
    budget_s: float,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, tuple[float, float]]:
    """(p50, p99) in milliseconds of one call with `batch` rows, by name. Raises Cancelled.

    Candidates take turns in blocks of ten calls over varied rows, so that noise of the machine meets all alike.
    """
    progress = progress or Progress()
    chunks = batches(tensors, batch)
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for session in sessions.values():
        progress.check()
        for index in range(_WARM_UP):
            session.run(chunks[index % len(chunks)])
    end = clock() + budget_s
    for begin in range(0, _CALLS, _BLOCK):
        for name, session in sessions.items():
            progress.check()
            for index in range(begin, begin + _BLOCK):
                start = clock()
                session.run(chunks[index % len(chunks)])
                times[name].append(clock() - start)
        if clock() > end:
            break
    return {name: _percentiles_ms(taken) for name, taken in times.items()}


def _percentiles_ms(seconds: Sequence[float]) -> tuple[float, float]:
    import numpy as np

    return 1e3 * float(np.percentile(seconds, 50)), 1e3 * float(np.percentile(seconds, 99))


def predict_all(session: Session, tensors: Tensors, output: str = "", progress: Progress | None = None) -> NDArray[Any]:
    """One output of the session, the first unless it is named, for every row; what is no number stays as it is.

    Raises Cancelled between two parts.
    """
    import numpy as np

    progress = progress or Progress()
    name = output or session.signature.outputs[0].name
    parts = []
    for chunk in batches(tensors, _ROWS, whole=False):
        progress.check()
        parts.append(session.run(chunk, [name])[name])
    found = np.concatenate(parts)
    return found if found.dtype == object else found.astype(np.float32, copy=False)


def batches(tensors: Tensors, batch: int, whole: bool = True) -> Sequence[Tensors]:
    """Batches of consecutive rows; `whole` repeats rows so that each has exactly `batch`."""
    import numpy as np

    rows = len(next(iter(tensors.values())))
    if whole and rows < batch:
        return [{name: np.resize(values, (batch, *values.shape[1:])) for name, values in tensors.items()}]
    stops = range(batch, rows + 1, batch) if whole else range(batch, rows + batch, batch)
    return [
        {name: np.ascontiguousarray(values[stop - batch : stop]) for name, values in tensors.items()} for stop in stops
    ]
