"""The derivative across (x) or down (y) by Sobel's kernels of 3 or 5 pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from glassworks.imaging.borders import Border, number
from glassworks.imaging.operator import Graph, Kind, Operator
from glassworks.imaging.stencils import cast, lower_stencil, stencil, weighted_field

if TYPE_CHECKING:
    from glassworks.imaging.operator import Floats, Mask, Pixels, Pull

_SMOOTH = {3: (1, 2, 1), 5: (1, 4, 6, 4, 1)}
_SLOPE = {3: (-1, 0, 1), 5: (-1, -2, 0, 2, 1)}


class Sobel(Operator):
    """float32; of whole numbers the results are whole numbers."""

    operator: Literal["sobel"] = "sobel"
    direction: Literal["x", "y"] = "x"
    kernel: Literal[3, 5] = 3
    border: Border = "reflect101"

    def kind(self, *given: Kind) -> Kind:
        self.needs_depth(given[0], "uint8", "uint16", "float32")
        return Kind("float32", given[0].channels, given[0].whole)

    @property
    def reach(self) -> int:
        return self.kernel // 2

    def apply(self, *pictures: Pixels) -> Pixels:
        return self.into(np.empty(pictures[0].shape, np.float32), *pictures)

    def into(self, out: Pixels, *pictures: Pixels) -> Pixels:
        import cv2

        across, border = int(self.direction == "x"), number(self.border)
        return cv2.Sobel(pictures[0], cv2.CV_32F, across, 1 - across, dst=out, ksize=self.kernel, borderType=border)

    def lower(self, graph: Graph, given: Sequence[tuple[str, Kind]]) -> str:
        value, kind = given[0]
        return lower_stencil(graph, cast(graph, value, "float32"), kind.channels, self._weights, self.border)

    def differentiate(self, *pictures: Floats) -> tuple[Floats, Pull]:
        return stencil(pictures[0], self._weights, self.border)

    def field(self, mask: Mask, size: tuple[int, int]) -> Mask:
        return weighted_field(mask, self._weights)

    @property
    def _weights(self) -> Floats:
        across = np.outer(_SMOOTH[self.kernel], _SLOPE[self.kernel]).astype(np.float32)
        return across if self.direction == "x" else np.ascontiguousarray(across.T)
