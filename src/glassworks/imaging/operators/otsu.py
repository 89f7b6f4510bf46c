"""Otsu's threshold (1979): the one that divides the picture's values into the two most different groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from glassworks.imaging.operator import Kind, Operator, as_opencv
from glassworks.imaging.operators.threshold import above

if TYPE_CHECKING:
    from glassworks.imaging.operator import Floats, Pixels, Pull


class Otsu(Operator):
    """uint8, 0 or 255. The threshold depends on the whole picture."""

    operator: Literal["otsu"] = "otsu"

    def kind(self, *given: Kind) -> Kind:
        self.needs_gray(given[0])
        self.needs_depth(given[0], "uint8", "uint16")
        return Kind("uint8", 1)

    def apply(self, *pictures: Pixels) -> Pixels:
        import cv2

        # The threshold alone is asked for: of 16 bits OpenCV would give 16 bits.
        value, _ = cv2.threshold(pictures[0], 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        return above(pictures[0], value)

    def differentiate(self, *pictures: Floats) -> tuple[Floats, Pull]:
        import cv2

        rounded = np.clip(np.rint(as_opencv(pictures[0])), 0, 65_535).astype(np.uint16)
        value, _ = cv2.threshold(rounded, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        return pictures[0] - np.float32(value), lambda gradient: (gradient,)
