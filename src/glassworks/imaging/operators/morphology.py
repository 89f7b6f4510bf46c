"""Morphology: the largest or smallest value near a pixel, and combinations of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, field_validator

from glassworks.errors import Unsupported
from glassworks.imaging.operator import Graph, Kind, Operator
from glassworks.imaging.stencils import cast

if TYPE_CHECKING:
    from glassworks.imaging.operator import Floats, Pixels, Pull

_LEAST = np.float32(-1e30)


class Morphology(Operator):
    """`shape` is that of the neighborhood, `kernel` pixels a side; outside the picture there is nothing."""

    operator: Literal["morphology"] = "morphology"
    mode: Literal["erode", "dilate", "open", "close", "gradient", "top_hat", "black_hat"] = "dilate"
    kernel: int = Field(default=3, ge=1, le=31)
    shape: Literal["rectangle", "cross", "ellipse"] = "rectangle"

    @field_validator("kernel")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("a kernel has an odd number of pixels a side")
        return value

    def kind(self, *given: Kind) -> Kind:
        self.needs_depth(given[0], "uint8", "uint16", "float32")
        return given[0]

    @property
    def reach(self) -> int:
        twice = self.mode in ("open", "close", "top_hat", "black_hat")
        return self.kernel // 2 * (2 if twice else 1)

    def apply(self, *pictures: Pixels) -> Pixels:
        import cv2

        modes = {
            "erode": cv2.MORPH_ERODE,
            "dilate": cv2.MORPH_DILATE,
            "open": cv2.MORPH_OPEN,
            "close": cv2.MORPH_CLOSE,
            "gradient": cv2.MORPH_GRADIENT,
            "top_hat": cv2.MORPH_TOPHAT,
            "black_hat": cv2.MORPH_BLACKHAT,
        }
        return cv2.morphologyEx(pictures[0], modes[self.mode], self._window)

    def lower(self, graph: Graph, given: Sequence[tuple[str, Kind]]) -> str:
        value, kind = given[0]
        if self.shape != "rectangle":
            raise Unsupported(f"ONNX pools over rectangles only, the shape is '{self.shape}'", "OpenCV runs it")
        real = cast(graph, value, "float32")
        side = self.kernel

        def largest(value: str) -> str:
            return graph.op("MaxPool", value, kernel_shape=[side, side], pads=[side // 2] * 4, strides=[1, 1])

        def smallest(value: str) -> str:
            return graph.op("Neg", largest(graph.op("Neg", value)))

        made = {
            "erode": lambda: smallest(real),
            "dilate": lambda: largest(real),
            "open": lambda: largest(smallest(real)),
            "close": lambda: smallest(largest(real)),
            "gradient": lambda: graph.op("Sub", largest(real), smallest(real)),
            "top_hat": lambda: graph.op("Sub", real, largest(smallest(real))),
            "black_hat": lambda: graph.op("Sub", smallest(largest(real)), real),
        }
        return cast(graph, made[self.mode](), kind.depth)

    def differentiate(self, *pictures: Floats) -> tuple[Floats, Pull]:
        value = pictures[0]
        if self.mode in ("erode", "dilate"):
            return self._near(value, self.mode)
        if self.mode == "gradient":
            (high, pull_high), (low, pull_low) = self._near(value, "dilate"), self._near(value, "erode")
            return high - low, lambda gradient: (pull_high(gradient)[0] - pull_low(gradient)[0],)
        first, second = ("erode", "dilate") if self.mode in ("open", "top_hat") else ("dilate", "erode")
        inner, pull_inner = self._near(value, first)
        outer, pull_outer = self._near(inner, second)
        sign = {"open": 0, "close": 0, "top_hat": 1, "black_hat": -1}[self.mode]

        def pull(gradient: Floats) -> tuple[Floats, ...]:
            back = pull_inner(pull_outer(gradient)[0])[0]
            return ((back if sign == 0 else sign * (gradient - back)),)

        return (outer if sign == 0 else sign * (value - outer)), pull

    def _near(self, value: Floats, mode: str) -> tuple[Floats, Pull]:
        """The largest or smallest value near each pixel; the gradient goes to the first pixel that has it."""
        sign = np.float32(1 if mode == "dilate" else -1)
        height, width, reach = *value.shape[:2], self.kernel // 2
        around = np.pad(sign * value, ((reach, reach), (reach, reach), (0, 0)), constant_values=_LEAST)
        offsets = [(int(row), int(column)) for row, column in np.argwhere(self._window)]
        largest = np.full_like(value, _LEAST)
        for row, column in offsets:
            np.maximum(largest, around[row : row + height, column : column + width], out=largest)

        def pull(gradient: Floats) -> tuple[Floats, ...]:
            back, left = np.zeros_like(around), np.ones(value.shape, np.bool_)
            for row, column in offsets:
                here = left & (around[row : row + height, column : column + width] == largest)
                back[row : row + height, column : column + width] += np.where(here, gradient, 0)
                left &= ~here
            return (back[reach : reach + height, reach : reach + width],)

        return sign * largest, pull

    @property
    def _window(self) -> Pixels:
        import cv2

        shapes = {"rectangle": cv2.MORPH_RECT, "cross": cv2.MORPH_CROSS, "ellipse": cv2.MORPH_ELLIPSE}
        return cv2.getStructuringElement(shapes[self.shape], (self.kernel, self.kernel))
