"""A fixed threshold: what is above it, and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from glassworks.imaging.operator import Graph, Kind, Operator, with_channels
from glassworks.imaging.stencils import cast

if TYPE_CHECKING:
    from glassworks.imaging.operator import Floats, Pixels, Pull


class Threshold(Operator):
    """`binary` gives `maximum` above `value`, else 0, in uint8; `inverted` the other way round; `truncate` cuts off
    what is above; `to_zero` clears what is not above."""

    operator: Literal["threshold"] = "threshold"
    value: float
    mode: Literal["binary", "inverted", "truncate", "to_zero"] = "binary"
    maximum: int = Field(default=255, ge=1, le=255)

    def kind(self, *given: Kind) -> Kind:
        if self.mode in ("binary", "inverted"):
            return Kind("uint8", given[0].channels)
        return given[0]

    @property
    def reach(self) -> int:
        return 0

    def apply(self, *pictures: Pixels) -> Pixels:
        import cv2

        picture = pictures[0]
        if self.mode in ("binary", "inverted"):
            return above(picture, self.value, self.maximum, inverted=self.mode == "inverted")
        mode = cv2.THRESH_TRUNC if self.mode == "truncate" else cv2.THRESH_TOZERO
        return cv2.threshold(picture, self.value, 0, mode)[1]

    def lower(self, graph: Graph, given: Sequence[tuple[str, Kind]]) -> str:
        value, kind = given[0]
        limit = self.value if kind.depth == "float32" else float(np.floor(self.value))
        real = cast(graph, value, "float32")
        edge = graph.constant(np.array(limit, np.float32))
        if self.mode == "truncate":
            return cast(graph, graph.op("Min", real, edge), kind.depth)
        over = graph.op("Greater", real, edge)
        if self.mode == "to_zero":
            return cast(graph, graph.op("Where", over, real, graph.constant(np.array(0, np.float32))), kind.depth)
        yes, no = (graph.constant(np.array(each, np.uint8)) for each in (self.maximum, 0))
        return graph.op("Where", over, *((no, yes) if self.mode == "inverted" else (yes, no)))

    def differentiate(self, *pictures: Floats) -> tuple[Floats, Pull]:
        sign = np.float32(-1 if self.mode == "inverted" else 1)
        return sign * (pictures[0] - np.float32(self.value)), lambda gradient: (sign * gradient,)


def above(picture: Pixels, value: float, maximum: int = 255, *, inverted: bool = False) -> Pixels:
    """uint8: `maximum` where the picture is above the value, else 0."""
    import cv2

    if picture.size <= 4:  # OpenCV would take so few pixels and a number for two scalars
        return np.where((picture > value) != inverted, maximum, 0).astype(np.uint8)
    # A number is compared with one channel, so all channels are taken for one row.
    flat = picture.reshape(len(picture), -1)
    found = np.asarray(cv2.compare(flat, value, cv2.CMP_LE if inverted else cv2.CMP_GT))  # type: ignore[call-overload]
    if maximum != 255:
        np.minimum(found, maximum, out=found)
    return found.reshape(picture.shape) if picture.ndim == 2 else with_channels(found.reshape(picture.shape))
