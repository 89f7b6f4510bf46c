"""Canny's edges (1986): thin lines where the gradient is largest, kept by two thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from glassworks.imaging.operator import Kind, Operator
from glassworks.imaging.operators.sobel import Sobel

if TYPE_CHECKING:
    from glassworks.imaging.operator import Floats, Pixels, Pull


class Canny(Operator):
    """uint8, 0 or 255. It is explained by the gradient's size, which its thresholds look at."""

    operator: Literal["canny"] = "canny"
    low: float
    high: float
    kernel: Literal[3, 5] = 3
    l2: bool = False
    """Whether the size is sqrt(gx^2 + gy^2) rather than |gx| + |gy|."""

    def kind(self, *given: Kind) -> Kind:
        self.needs_gray(given[0])
        self.needs_depth(given[0], "uint8")
        if self.low > self.high:
            raise self.refuse(f"has low = {self.low:g} above high = {self.high:g}", "exchange them")
        return Kind("uint8", 1)

    def apply(self, *pictures: Pixels) -> Pixels:
        import cv2

        return cv2.Canny(pictures[0], self.low, self.high, apertureSize=self.kernel, L2gradient=self.l2)

    def differentiate(self, *pictures: Floats) -> tuple[Floats, Pull]:
        parts, pulls = zip(
            *(
                Sobel(direction=direction, kernel=self.kernel, border="replicate").differentiate(pictures[0])
                for direction in ("x", "y")
            ),
            strict=True,
        )
        across, down = parts
        size = np.hypot(across, down) if self.l2 else np.abs(across) + np.abs(down)
        below = np.maximum(size, np.float32(1e-12))
        slopes = [part / below if self.l2 else np.sign(part) for part in parts]

        def pull(gradient: Floats) -> tuple[Floats, ...]:
            back = [pull(gradient * slope)[0] for pull, slope in zip(pulls, slopes, strict=True)]
            return (back[0] + back[1],)

        return size - np.float32(self.low), pull
