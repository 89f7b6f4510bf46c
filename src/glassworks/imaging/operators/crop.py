"""A rectangle of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from glassworks.errors import InputError
from glassworks.imaging.operator import Graph, Kind, Operator

if TYPE_CHECKING:
    from glassworks.imaging.operator import Floats, Mask, Pixels, Pull


class Crop(Operator):
    """`x` and `y` are its left upper pixel. A picture that does not hold it is refused."""

    operator: Literal["crop"] = "crop"
    x: int = Field(default=0, ge=0)
    y: int = Field(default=0, ge=0)
    width: int = Field(ge=1)
    height: int = Field(ge=1)

    def kind(self, *given: Kind) -> Kind:
        return given[0]

    @property
    def keeps_size(self) -> bool:
        return False

    def apply(self, *pictures: Pixels) -> Pixels:
        height, width = pictures[0].shape[:2]
        if self.x + self.width > width or self.y + self.height > height:
            raise InputError(
                f"the picture has {width} x {height} pixels; the crop ends at {self.x + self.width} x "
                f"{self.y + self.height}",
                "give a larger picture, or crop less",
            )
        return pictures[0][self._rows, self._columns]

    def lower(self, graph: Graph, given: Sequence[tuple[str, Kind]]) -> str:
        begin, end = (self.y, self.x), (self.y + self.height, self.x + self.width)
        return graph.op("Slice", given[0][0], *(graph.constant(each) for each in (begin, end, (2, 3))))

    def differentiate(self, *pictures: Floats) -> tuple[Floats, Pull]:
        def pull(gradient: Floats) -> tuple[Floats, ...]:
            back = np.zeros_like(pictures[0])
            back[self._rows, self._columns] = gradient
            return (back,)

        return pictures[0][self._rows, self._columns], pull

    def field(self, mask: Mask, size: tuple[int, int]) -> Mask:
        back = np.zeros(size, np.bool_)
        back[self._rows, self._columns] = mask
        return back

    @property
    def _rows(self) -> slice:
        return slice(self.y, self.y + self.height)

    @property
    def _columns(self) -> slice:
        return slice(self.x, self.x + self.width)
