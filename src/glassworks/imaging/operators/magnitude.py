"""The length of a gradient of two parts: sqrt(gx^2 + gy^2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from glassworks.imaging.operator import Graph, Kind, Operator

if TYPE_CHECKING:
    from glassworks.imaging.operator import Floats, Pixels, Pull


class Magnitude(Operator):
    """Takes the parts across and down, as two Sobel operators give them."""

    operator: Literal["magnitude"] = "magnitude"
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
