"""Contrast by region: a histogram a tile is made even, within a limit (CLAHE, Zuiderveld 1994)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from glassworks.imaging.operator import Kind, Operator

if TYPE_CHECKING:
    from glassworks.imaging.operator import Floats, Pixels, Pull


class Clahe(Operator):
    """`tiles` a side. It is explained as if it kept its picture: what it changes depends on all of a tile."""

    operator: Literal["clahe"] = "clahe"
    limit: float = Field(default=2.0, gt=0)
    tiles: int = Field(default=8, ge=1, le=64)

    def kind(self, *given: Kind) -> Kind:
        self.needs_gray(given[0])
        self.needs_depth(given[0], "uint8", "uint16")
        return given[0]

    def apply(self, *pictures: Pixels) -> Pixels:
        import cv2

        return cv2.createCLAHE(self.limit, (self.tiles, self.tiles)).apply(pictures[0])

    def differentiate(self, *pictures: Floats) -> tuple[Floats, Pull]:
        return pictures[0], lambda gradient: (gradient,)
