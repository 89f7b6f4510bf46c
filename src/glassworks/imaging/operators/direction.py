"""The direction of a gradient of two parts, in degrees from 0 to 360, as OpenCV's `phase` approximates it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from glassworks.imaging.operator import OfParts

if TYPE_CHECKING:
    from glassworks.imaging.operator import Floats, Pixels, Pull


class Direction(OfParts):
    """OpenCV states an accuracy of about 0.3 degrees."""

    operator: Literal["direction"] = "direction"

    def apply(self, *pictures: Pixels) -> Pixels:
        import cv2

        across, down = pictures
        return cv2.phase(across, down, angleInDegrees=True)

    def differentiate(self, *pictures: Floats) -> tuple[Floats, Pull]:
        across, down = pictures
        square = across**2 + down**2
        slope = np.where(square > 0, np.float32(180 / np.pi) / np.maximum(square, np.float32(1e-12)), 0)

        def pull(gradient: Floats) -> tuple[Floats, ...]:
            return -gradient * slope * down, gradient * slope * across

        return np.degrees(np.arctan2(down, across)) % 360, pull
