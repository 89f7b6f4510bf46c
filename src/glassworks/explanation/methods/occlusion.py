"""Occlusion: how much the answer's probability falls when a window is covered (Zeiler and Fergus 2014)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Attribution, Budget, Explainer, Session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WINDOWS = 7
"""Windows a side do not overlap by more than half; a 28-pixel picture is covered by windows of 4, every 2 pixels."""
_ROWS = 32


class Occlusion(Explainer):
    """Needs predictions only, so it works on every model and explains the very artifact that answers, int8 too."""

    name: ClassVar[str] = "occlusion"
    role: ClassVar[str] = "predict"
    subjects: ClassVar[Mapping[str, int]] = {"pictures": 50, "regions": 50}

    def explain(
        self,
        session: Session,
        example: NDArray[np.float32],
        target: int,
        baseline: NDArray[np.float32],
        budget: Budget,
        seed: int,
    ) -> Attribution:
        import numpy as np

        start = time.perf_counter()
        height, width = example.shape[-2:]
        windows = [(rows, columns) for rows in _slices(height) for columns in _slices(width)]
        score = float(_scores(session, example, target)[0])
        drop, covers, done = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32), 0
        for begin in range(0, len(windows), _ROWS):
            if budget.milliseconds is not None and 1e3 * (time.perf_counter() - start) > budget.milliseconds:
                break
            part = windows[begin : begin + _ROWS]
            covered = np.repeat(example, len(part), axis=0)
            for row, (down, across) in enumerate(part):
                covered[row, :, down, across] = baseline[0, :, down, across]
            for (down, across), value in zip(part, score - _scores(session, covered, target), strict=True):
                drop[down, across] += value
                covers[down, across] += 1
            done += len(part)
        values = np.broadcast_to(drop / np.maximum(covers, 1) / example.shape[1], example.shape).astype(np.float32)
        return Attribution(values=values, score=score, forward=done + 1, converged=done == len(windows))


def _slices(size: int) -> list[slice]:
    """Windows of a seventh of the side, every half window; the last one ends at the edge."""
    window = max(1, round(size / _WINDOWS))
    stride = max(1, window // 2)
    starts = [*range(0, size - window, stride), size - window]
    return [slice(start, start + window) for start in starts]


def _scores(session: Session, rows: NDArray[np.float32], target: int) -> NDArray[np.float32]:
    import numpy as np

    name = session.signature.inputs[0].name
    output = session.signature.outputs[0].name
    return np.asarray(session.run({name: np.ascontiguousarray(rows)}, [output])[output], np.float32)[:, target]
