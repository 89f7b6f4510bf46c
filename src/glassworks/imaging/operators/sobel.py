"""The derivative across (x) or down (y) by Sobel's kernels of 3 or 5 pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from glassworks.imaging.borders import number
from glassworks.imaging.stencils import Derivative

if TYPE_CHECKING:
    from glassworks.imaging.operator import Floats, Pixels

_SMOOTH = {3: (1, 2, 1), 5: (1, 4, 6, 4, 1)}
_SLOPE = {3: (-1, 0, 1), 5: (-1, -2, 0, 2, 1)}


class Sobel(Derivative):
    """Smoothed along the edge."""

    operator: Literal["sobel"] = "sobel"
    direction: Literal["x", "y"] = "x"
    kernel: Literal[3, 5] = 3

    @property
    def reach(self) -> int:
        return self.kernel // 2

    def into(self, out: Pixels, *pictures: Pixels) -> Pixels:
        import cv2

        across, border = int(self.direction == "x"), number(self.border)
        return cv2.Sobel(pictures[0], cv2.CV_32F, across, 1 - across, dst=out, ksize=self.kernel, borderType=border)

    @property
    def weights(self) -> Floats:
        across = np.outer(_SMOOTH[self.kernel], _SLOPE[self.kernel]).astype(np.float32)
        return across if self.direction == "x" else np.ascontiguousarray(across.T)
