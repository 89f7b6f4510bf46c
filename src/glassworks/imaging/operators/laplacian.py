"""The sum of the second derivatives across and down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from glassworks.imaging.borders import number
from glassworks.imaging.stencils import Derivative

if TYPE_CHECKING:
    from glassworks.imaging.operator import Floats, Pixels

_SMOOTH = {3: (1, 2, 1), 5: (1, 4, 6, 4, 1)}
_CURVE = {3: (1, -2, 1), 5: (1, 0, -2, 0, 1)}


class Laplacian(Derivative):
    """Kernel 1 is the cross of four neighbors."""

    operator: Literal["laplacian"] = "laplacian"
    kernel: Literal[1, 3, 5] = 1

    @property
    def reach(self) -> int:
        return max(1, self.kernel // 2)

    def into(self, out: Pixels, *pictures: Pixels) -> Pixels:
        import cv2

        return cv2.Laplacian(pictures[0], cv2.CV_32F, dst=out, ksize=self.kernel, borderType=number(self.border))

    @property
    def weights(self) -> Floats:
        if self.kernel == 1:
            return np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32)
        if self.kernel == 3:
            return np.array([[2, 0, 2], [0, -8, 0], [2, 0, 2]], np.float32)
        part = np.outer(_SMOOTH[5], _CURVE[5])
        return (part + part.T).astype(np.float32)
