"""Grad-CAM: which positions of the last spatial layer speak for a class (Selvaraju et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Attribution, Budget, Explainer, Session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class GradCam(Explainer):
    """One forward pass and a backward pass that stops at the last spatial layer; the coarse map is enlarged."""

    name: ClassVar[str] = "grad_cam"
    role: ClassVar[str] = "cam"
    subjects: ClassVar[Mapping[str, int]] = {"pictures": 20}
    against_baseline: ClassVar[bool] = False

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

        from glassworks.explanation.gradients import enlarge, targeted

        scores, maps = targeted(session, example, target, "map")
        height, width = example.shape[-2:]
        large = enlarge(maps[0], height, width)
        values = np.broadcast_to(large / example.shape[1], example.shape).astype(np.float32)
        return Attribution(values=values, score=float(scores[0]), forward=1, backward=1)
