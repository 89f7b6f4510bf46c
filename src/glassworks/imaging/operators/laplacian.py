"""The sum of the second derivatives across and down."""

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
_CURVE = {3: (1, -2, 1), 5: (1, 0, -2, 0, 1)}


class Laplacian(Operator):
    """float32; kernel 1 is the cross of four neighbors."""

    operator: Literal["laplacian"] = "laplacian"
    kernel: Literal[1, 3, 5] = 1
    border: Border = "reflect101"

    def kind(self, *given: Kind) -> Kind:
        self.needs_depth(given[0], "uint8", "uint16", "float32")
        return Kind("float32", given[0].channels, given[0].whole)

    @property
    def reach(self) -> int:
        return max(1, self.kernel // 2)

    def apply(self, *pictures: Pixels) -> Pixels:
        return self.into(np.empty(pictures[0].shape, np.float32), *pictures)

    def into(self, out: Pixels, *pictures: Pixels) -> Pixels:
        import cv2

        return cv2.Laplacian(pictures[0], cv2.CV_32F, dst=out, ksize=self.kernel, borderType=number(self.border))

    def lower(self, graph: Graph, given: Sequence[tuple[str, Kind]]) -> str:
        value, kind = given[0]
        return lower_stencil(graph, cast(graph, value, "float32"), kind.channels, self._weights, self.border)

    def differentiate(self, *pictures: Floats) -> tuple[Floats, Pull]:
        return stencil(pictures[0], self._weights, self.border)

    def field(self, mask: Mask, size: tuple[int, int]) -> Mask:
        return weighted_field(mask, self._weights)

    @property
    def _weights(self) -> Floats:
        if self.kernel == 1:
            return np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32)
        if self.kernel == 3:
            return np.array([[2, 0, 2], [0, -8, 0], [2, 0, 2]], np.float32)
        part = np.outer(_SMOOTH[5], _CURVE[5])
        return (part + part.T).astype(np.float32)
