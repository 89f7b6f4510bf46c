"""Another type of pixels: scaled, shifted, rounded (halves to the even number) and cut to what fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from glassworks.imaging.operator import Graph, Kind, Operator
from glassworks.imaging.stencils import cast

if TYPE_CHECKING:
    from glassworks.imaging.operator import Floats, Pixels, Pull


class Convert(Operator):
    """`value * scale + shift` in `depth`; with `absolute` without its sign."""

    operator: Literal["convert"] = "convert"
    depth: Literal["uint8", "uint16", "int16", "float32"] = "uint8"
    scale: float = 1.0
    shift: float = 0.0
    absolute: bool = False

    def kind(self, *given: Kind) -> Kind:
        fractions = self.depth == "float32" and not (
            given[0].whole and self.scale.is_integer() and self.shift.is_integer()
        )
        return Kind(self.depth, given[0].channels, not fractions)

    @property
    def reach(self) -> int:
        return 0

    def apply(self, *pictures: Pixels) -> Pixels:
        import cv2

        value: Pixels = pictures[0].astype(np.float32)
        if self.scale != 1 or self.shift != 0:
            value = cv2.addWeighted(value, self.scale, value, 0, self.shift)
        if self.absolute:
            value = cv2.absdiff(value, np.zeros_like(value))
        if self.depth == "float32":
            return value
        limits = np.iinfo(self.depth)
        return np.clip(np.rint(value), limits.min, limits.max).astype(self.depth)

    def lower(self, graph: Graph, given: Sequence[tuple[str, Kind]]) -> str:
        value = cast(graph, given[0][0], "float32")
        if self.scale != 1 or self.shift != 0:
            scaled = graph.op("Mul", value, graph.constant(np.array(self.scale, np.float32)))
            value = graph.op("Add", scaled, graph.constant(np.array(self.shift, np.float32)))
        if self.absolute:
            value = graph.op("Abs", value)
        if self.depth == "float32":
            return value
        limits = (graph.constant(np.array(each, np.float32)) for each in _limits(self.depth))
        return cast(graph, graph.op("Clip", graph.op("Round", value), *limits), self.depth)

    def differentiate(self, *pictures: Floats) -> tuple[Floats, Pull]:
        value = pictures[0] * np.float32(self.scale) + np.float32(self.shift)
        slope = np.float32(self.scale) * (np.sign(value) if self.absolute else np.float32(1))
        return (np.abs(value) if self.absolute else value), lambda gradient: (gradient * slope,)


def _limits(depth: str) -> tuple[int, int]:
    limits = np.iinfo(depth)
    return int(limits.min), int(limits.max)
