"""Pixels on another scale: by a mean and a standard deviation a channel, or from the darkest to the brightest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from glassworks.errors import Unsupported
from glassworks.imaging.operator import Graph, Kind, Operator, as_opencv
from glassworks.imaging.stencils import cast

if TYPE_CHECKING:
    from glassworks.imaging.operator import Floats, Pixels, Pull


class Normalize(Operator):
    """`standard`: (value - mean) / deviation in float32, one number for all channels or one each; `range`: from
    `low` for the smallest value of the picture to `high` for the largest, in the type of its pixels."""

    operator: Literal["normalize"] = "normalize"
    mode: Literal["standard", "range"] = "standard"
    mean: tuple[float, ...] = Field(default=(0.0,), min_length=1, max_length=3)
    deviation: tuple[float, ...] = Field(default=(255.0,), min_length=1, max_length=3)
    low: float = 0.0
    high: float = 255.0

    def kind(self, *given: Kind) -> Kind:
        if self.mode == "range":
            return Kind(given[0].depth, given[0].channels, given[0].depth != "float32")
        for numbers in (self.mean, self.deviation):
            if len(numbers) not in (1, given[0].channels):
                raise self.refuse(
                    f"has {len(numbers)} numbers for {given[0].channels} channels", "give one, or one a channel"
                )
        if any(each <= 0 for each in self.deviation):
            raise self.refuse("has a deviation that is not positive", "give positive numbers")
        return Kind("float32", given[0].channels, whole=False)

    @property
    def reach(self) -> int | None:
        return 0 if self.mode == "standard" else None

    def apply(self, *pictures: Pixels) -> Pixels:
        import cv2

        if self.mode == "range":
            return cv2.normalize(pictures[0], np.empty_like(pictures[0]), self.low, self.high, cv2.NORM_MINMAX)
        mean, deviation = self._numbers
        if len(mean) == 1 and len(deviation) == 1:
            mean, deviation = mean[0], deviation[0]
        return (pictures[0].astype(np.float32) - mean) / deviation

    def lower(self, graph: Graph, given: Sequence[tuple[str, Kind]]) -> str:
        if self.mode == "range":
            raise Unsupported("normalizing to a range is not exact in ONNX", "OpenCV runs it")
        mean, deviation = (graph.constant(each.reshape(-1, 1, 1)) for each in self._numbers)
        return graph.op("Div", graph.op("Sub", cast(graph, given[0][0], "float32"), mean), deviation)

    def differentiate(self, *pictures: Floats) -> tuple[Floats, Pull]:
        if self.mode == "standard":
            mean, deviation = self._numbers
            return (pictures[0] - mean) / deviation, lambda gradient: (gradient / deviation,)
        # The ends of the range stay as they are while one pixel changes a little.
        values = as_opencv(pictures[0])
        least, most = float(values.min()), float(values.max())
        slope = np.float32((self.high - self.low) / (most - least) if most > least else 0)
        return (pictures[0] - np.float32(least)) * slope + np.float32(self.low), lambda gradient: (gradient * slope,)

    @property
    def _numbers(self) -> tuple[Floats, Floats]:
        return np.array(self.mean, np.float32), np.array(self.deviation, np.float32)
