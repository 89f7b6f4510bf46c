"""A fixed threshold: what is above it, and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from glassworks.imaging.operator import Graph, Kind, Operator
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

        if self.mode in ("binary", "inverted"):
            return self.into(np.empty(pictures[0].shape, np.uint8), *pictures)
        mode = cv2.THRESH_TRUNC if self.mode == "truncate" else cv2.THRESH_TOZERO
        return cv2.threshold(pictures[0], self.value, 0, mode)[1]

    def into(self, out: Pixels, *pictures: Pixels) -> Pixels:
        if self.mode not in ("binary", "inverted"):
            return self.apply(*pictures)
        found = above(pictures[0], self.value, inverted=self.mode == "inverted", out=out)
        return np.minimum(found, self.maximum, out=found) if self.maximum < 255 else found

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


def above(picture: Pixels, value: float, *, inverted: bool = False, out: Pixels | None = None) -> Pixels:
    """uint8: 255 where the picture is above the value, else 0."""
    import cv2

    if picture.size <= 4:  # OpenCV would take so few pixels and a number for two scalars
        return np.where((picture > value) != inverted, 255, 0).astype(np.uint8)
    relation = cv2.CMP_LE if inverted else cv2.CMP_GT
    # A number is compared with one channel, so all channels are taken for one row.
    flat = picture.reshape(len(picture), -1)
    into = None if out is None else out.reshape(len(out), -1)
    return np.asarray(cv2.compare(flat, value, relation, dst=into)).reshape(picture.shape)  # type: ignore[call-overload]
