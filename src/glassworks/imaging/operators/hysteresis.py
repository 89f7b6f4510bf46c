"""Two thresholds: what is above the high one, and what is above the low one and touches it (Canny 1986)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from glassworks.imaging.operator import Kind, Operator
from glassworks.imaging.operators.threshold import above

if TYPE_CHECKING:
    from glassworks.imaging.operator import Floats, Pixels, Pull


class Hysteresis(Operator):
    """uint8, 0 or 255. Pixels touch at their sides and corners; a chain may be as long as the picture."""

    operator: Literal["hysteresis"] = "hysteresis"
    low: float
    high: float

    def kind(self, *given: Kind) -> Kind:
        self.needs_gray(given[0])
        if self.low > self.high:
            raise self.refuse(f"has low = {self.low:g} above high = {self.high:g}", "exchange them")
        return Kind("uint8", 1)

    def apply(self, *pictures: Pixels) -> Pixels:
        import cv2

        weak, strong = above(pictures[0], self.low), above(pictures[0], self.high)
        count, labels = cv2.connectedComponents(weak, connectivity=8)
        kept = np.zeros(count, np.uint8)
        kept[labels[strong > 0]] = 255
        return np.asarray(kept[labels])

    def differentiate(self, *pictures: Floats) -> tuple[Floats, Pull]:
        return pictures[0] - np.float32(self.low), lambda gradient: (gradient,)
