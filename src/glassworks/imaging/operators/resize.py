"""Another size, by one of OpenCV's interpolations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from glassworks.imaging.operator import Kind, Operator, with_channels

if TYPE_CHECKING:
    from glassworks.imaging.operator import Floats, Mask, Pixels, Pull


class Resize(Operator):
    """`width` and `height` in pixels; with one of them the other keeps the proportions."""

    operator: Literal["resize"] = "resize"
    width: int | None = Field(default=None, ge=1, le=16_384)
    height: int | None = Field(default=None, ge=1, le=16_384)
    interpolation: Literal["nearest", "linear", "cubic", "area", "lanczos"] = "linear"

    def kind(self, *given: Kind) -> Kind:
        if self.width is None and self.height is None:
            raise self.refuse("has no size", "give it width, height or both")
        self.needs_depth(given[0], "uint8", "uint16", "float32", "int16")
        whole = given[0].depth != "float32" or (given[0].whole and self.interpolation == "nearest")
        return Kind(given[0].depth, given[0].channels, whole)

    @property
    def keeps_size(self) -> bool:
        return False

    def apply(self, *pictures: Pixels) -> Pixels:
        import cv2

        width, height = self._size(*pictures[0].shape[:2])
        return cv2.resize(pictures[0], (width, height), interpolation=self._number)

    def differentiate(self, *pictures: Floats) -> tuple[Floats, Pull]:
        down, across = self._weights(*pictures[0].shape[:2])
        result = np.einsum("ij,jkc,lk->ilc", down, pictures[0], across, optimize=True)
        return result, lambda gradient: (np.einsum("ij,ilc,lk->jkc", down, gradient, across, optimize=True),)

    def field(self, mask: Mask, size: tuple[int, int]) -> Mask:
        down, across = ((each != 0).astype(np.float32) for each in self._weights(*size))
        return np.asarray(down.T @ mask.astype(np.float32) @ across > 0)

    def _weights(self, height: int, width: int) -> tuple[Floats, Floats]:
        """The share of each row, and of each column, goes into each of the result (new old): every interpolation
        treats both directions alone, so resized unit vectors tell."""
        new_width, new_height = self._size(height, width)
        return self._line(height, new_height), self._line(width, new_width)

    def _line(self, size: int, new: int) -> Floats:
        import cv2

        units = np.eye(size, dtype=np.float32)
        return with_channels(cv2.resize(units, (size, new), interpolation=self._number))[:, :, 0]

    def _size(self, height: int, width: int) -> tuple[int, int]:
        """Width and height of the result."""
        wide = self.width or max(1, round(width * (self.height or height) / height))
        high = self.height or max(1, round(height * wide / width))
        return wide, high

    @property
    def _number(self) -> int:
        import cv2

        numbers = {
            "nearest": cv2.INTER_NEAREST,
            "linear": cv2.INTER_LINEAR,
            "cubic": cv2.INTER_CUBIC,
            "area": cv2.INTER_AREA,
            "lanczos": cv2.INTER_LANCZOS4,
        }
        return numbers[self.interpolation]
