"""More pixels around a picture, by any of OpenCV's borders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from glassworks.imaging.borders import AnyBorder, folded, lower_padding, number, padded
from glassworks.imaging.operator import Graph, Kind, Operator
from glassworks.imaging.stencils import cast

if TYPE_CHECKING:
    import numpy as np

    from glassworks.imaging.operator import Floats, Mask, Pixels, Pull


class Pad(Operator):
    """`pixels` at each side."""

    operator: Literal["pad"] = "pad"
    pixels: int = Field(ge=1, le=4096)
    border: AnyBorder = "reflect101"

    def kind(self, *given: Kind) -> Kind:
        return given[0]

    @property
    def keeps_size(self) -> bool:
        return False

    def apply(self, *pictures: Pixels) -> Pixels:
        import cv2

        side = self.pixels
        return cv2.copyMakeBorder(pictures[0], side, side, side, side, number(self.border))

    def lower(self, graph: Graph, given: Sequence[tuple[str, Kind]]) -> str:
        value, kind = given[0]
        # Engines pad few types with a constant.
        return cast(graph, lower_padding(graph, cast(graph, value, "float32"), self.border, self.pixels), kind.depth)

    def differentiate(self, *pictures: Floats) -> tuple[Floats, Pull]:
        return padded(pictures[0], self.border, self.pixels), lambda gradient: (
            folded(gradient, self.border, self.pixels),
        )

    def field(self, mask: Mask, size: tuple[int, int]) -> Mask:
        marked: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = mask[:, :, None].astype("float32")
        return folded(marked, self.border, self.pixels)[:, :, 0] > 0
