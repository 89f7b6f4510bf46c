"""A blur by Gauss's bell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, field_validator

from glassworks.errors import Unsupported
from glassworks.imaging.borders import Border, number
from glassworks.imaging.operator import Graph, Kind, Operator
from glassworks.imaging.stencils import cast, lower_stencil, stencil

if TYPE_CHECKING:
    from glassworks.imaging.operator import Floats, Pixels, Pull


class GaussianBlur(Operator):
    """`kernel` pixels a side; a `sigma` of 0 follows from it, as in OpenCV. Pixels keep their type."""

    operator: Literal["gaussian_blur"] = "gaussian_blur"
    kernel: int = Field(default=5, ge=1, le=99)
    sigma: float = Field(default=0.0, ge=0)
    border: Border = "reflect101"

    @field_validator("kernel")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("a kernel has an odd number of pixels a side")
        return value

    def kind(self, *given: Kind) -> Kind:
        self.needs_depth(given[0], "uint8", "uint16", "float32")
        return Kind(given[0].depth, given[0].channels, given[0].depth != "float32")

    @property
    def reach(self) -> int:
        return self.kernel // 2

    def apply(self, *pictures: Pixels) -> Pixels:
        return self.into(np.empty_like(pictures[0]), *pictures)

    def into(self, out: Pixels, *pictures: Pixels) -> Pixels:
        import cv2

        side, border = (self.kernel, self.kernel), number(self.border)
        return cv2.GaussianBlur(pictures[0], side, self.sigma, dst=out, borderType=border)

    def lower(self, graph: Graph, given: Sequence[tuple[str, Kind]]) -> str:
        value, kind = given[0]
        if kind.depth == "float32":
            return lower_stencil(graph, value, kind.channels, np.outer(self._bell, self._bell), self.border)
        if kind.depth == "uint16":
            raise Unsupported("a blur of 16-bit pixels is not exact in ONNX", "OpenCV runs it")
        # OpenCV sums 8-bit pixels in units of 2^-8 a direction, so in whole numbers that float32 holds exactly.
        bell = _eighths(self._bell)
        total = lower_stencil(graph, cast(graph, value, "float32"), kind.channels, np.outer(bell, bell), self.border)
        rounded = graph.op("Add", total, graph.constant(np.array(2**15, np.float32)))
        scaled = graph.op("Mul", rounded, graph.constant(np.array(2.0**-16, np.float32)))
        return cast(graph, graph.op("Floor", scaled), "uint8")

    def differentiate(self, *pictures: Floats) -> tuple[Floats, Pull]:
        return stencil(pictures[0], np.outer(self._bell, self._bell), self.border)

    @property
    def _bell(self) -> Floats:
        import cv2

        return np.asarray(cv2.getGaussianKernel(self.kernel, self.sigma, cv2.CV_32F), np.float32).ravel()


def _eighths(bell: Floats) -> Floats:
    """The bell in units of 2^-8: what rounding takes from one weight is given to the next; the middle gets the rest."""
    half, carried = len(bell) // 2, 0.0
    weights = np.zeros(len(bell), np.float32)
    for index in range(half):
        wanted = float(bell[index]) * 256 + carried
        weights[index] = weights[-1 - index] = round(wanted)
        carried = wanted - round(wanted)
    weights[half] = 256 - weights.sum()
    return weights
