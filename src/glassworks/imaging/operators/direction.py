"""The direction of a gradient of two parts, in degrees from 0 to 360, as OpenCV's `phase` approximates it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from glassworks.imaging.operator import Kind, Operator

if TYPE_CHECKING:
    from glassworks.imaging.operator import Floats, Pixels, Pull


class Direction(Operator):
    """Takes the parts across and down. OpenCV states an accuracy of about 0.3 degrees."""

    operator: Literal["direction"] = "direction"
    takes: ClassVar[int] = 2

    def kind(self, *given: Kind) -> Kind:
        for each in given:
            self.needs_depth(each, "float32")
        if given[0].channels != given[1].channels:
            raise self.refuse(f"is given {given[0]} and {given[1]}", "give it two parts of one picture")
        return Kind("float32", given[0].channels, whole=False)

    @property
    def reach(self) -> int:
        return 0

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
