"""Color becomes gray: 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601), rounded as OpenCV does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from glassworks.imaging.operator import Graph, Kind, Operator
from glassworks.imaging.stencils import cast

if TYPE_CHECKING:
    from glassworks.imaging.operator import Floats, Pixels, Pull

_SHARES = np.array([0.299, 0.587, 0.114], np.float32)
_BITS = 15
_WHOLE = np.array([9798, 19235, 3735], np.int32)
"""The shares in units of 2^-15."""


class Grayscale(Operator):
    """One channel of three; gray stays as it is."""

    operator: Literal["grayscale"] = "grayscale"

    def kind(self, *given: Kind) -> Kind:
        self.needs_depth(given[0], "uint8", "uint16", "float32")
        return Kind(given[0].depth, 1, given[0].whole and given[0].depth != "float32")

    @property
    def reach(self) -> int:
        return 0

    def apply(self, *pictures: Pixels) -> Pixels:
        import cv2

        return cv2.cvtColor(pictures[0], cv2.COLOR_RGB2GRAY) if pictures[0].ndim == 3 else pictures[0]

    def into(self, out: Pixels, *pictures: Pixels) -> Pixels:
        import cv2

        return cv2.cvtColor(pictures[0], cv2.COLOR_RGB2GRAY, dst=out) if pictures[0].ndim == 3 else pictures[0]

    def lower(self, graph: Graph, given: Sequence[tuple[str, Kind]]) -> str:
        value, kind = given[0]
        if kind.channels == 1:
            return value
        if kind.depth == "float32":
            weighted = graph.op("Mul", value, graph.constant(_SHARES.reshape(3, 1, 1)))
            return graph.op("ReduceSum", weighted, graph.constant([1]), keepdims=1)
        # In 64 bits: 16-bit pixels times 2^15 and the half for rounding do not fit into 31.
        wide = cast(graph, value, "int64")
        weighted = graph.op("Mul", wide, graph.constant(_WHOLE.astype(np.int64).reshape(3, 1, 1)))
        total = graph.op("ReduceSum", weighted, graph.constant([1]), keepdims=1)
        rounded = graph.op("Add", total, graph.constant(np.array(2 ** (_BITS - 1))))
        return cast(graph, graph.op("Div", rounded, graph.constant(np.array(2**_BITS))), kind.depth)

    def differentiate(self, *pictures: Floats) -> tuple[Floats, Pull]:
        picture = pictures[0]
        if picture.shape[2] == 1:
            return picture, lambda gradient: (gradient,)
        return picture @ _SHARES[:, None], lambda gradient: (gradient * _SHARES,)
