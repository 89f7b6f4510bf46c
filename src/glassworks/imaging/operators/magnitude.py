"""The length of a gradient of two parts: sqrt(gx^2 + gy^2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from glassworks.imaging.operator import Graph, Kind, OfParts

if TYPE_CHECKING:
    from glassworks.imaging.operator import Floats, Pixels, Pull


class Magnitude(OfParts):
    """Of the parts across and down."""

    operator: Literal["magnitude"] = "magnitude"

    def apply(self, *pictures: Pixels) -> Pixels:
        return self.into(np.empty_like(pictures[0]), *pictures)

    def into(self, out: Pixels, *pictures: Pixels) -> Pixels:
        import cv2

        across, down = pictures
        return cv2.magnitude(across, down, magnitude=out)

    def lower(self, graph: Graph, given: Sequence[tuple[str, Kind]]) -> str:
        squares = [graph.op("Mul", value, value) for value, _ in given]
        return graph.op("Sqrt", graph.op("Add", *squares))

    def differentiate(self, *pictures: Floats) -> tuple[Floats, Pull]:
        length = np.hypot(*pictures)
        below = np.maximum(length, np.finfo(np.float32).tiny)

        def pull(gradient: Floats) -> tuple[Floats, ...]:
            return tuple(np.where(length > 0, gradient * part / below, 0).astype(np.float32) for part in pictures)

        return length, pull
