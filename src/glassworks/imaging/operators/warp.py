"""An affine (a matrix of 2 x 3) or perspective (3 x 3) transformation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from glassworks.imaging.borders import AnyBorder, indices, number
from glassworks.imaging.operator import Kind, Operator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glassworks.imaging.operator import Floats, Mask, Pixels, Pull

    _Corner = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]


class Warp(Operator):
    """`matrix` maps positions (x, y) of the picture to positions of the result. Explained as linear interpolation."""

    operator: Literal["warp"] = "warp"
    matrix: tuple[tuple[float, float, float], ...] = Field(min_length=2, max_length=3)
    width: int | None = Field(default=None, ge=1, le=16_384)
    height: int | None = Field(default=None, ge=1, le=16_384)
    interpolation: Literal["nearest", "linear", "cubic"] = "linear"
    border: AnyBorder = "constant"

    def kind(self, *given: Kind) -> Kind:
        self.needs_depth(given[0], "uint8", "uint16", "float32", "int16")
        if abs(np.linalg.det(self._whole)) < 1e-12:
            raise self.refuse("has a matrix that cannot be inverted", "give one that keeps areas above zero")
        whole = given[0].depth != "float32" or (given[0].whole and self.interpolation == "nearest")
        return Kind(given[0].depth, given[0].channels, whole)

    @property
    def keeps_size(self) -> bool:
        return False

    def apply(self, *pictures: Pixels) -> Pixels:
        import cv2

        height, width = self._size(*pictures[0].shape[:2])
        numbers = {"nearest": cv2.INTER_NEAREST, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}
        options: dict[str, Any] = {"flags": numbers[self.interpolation], "borderMode": number(self.border)}
        warp = cv2.warpAffine if len(self.matrix) == 2 else cv2.warpPerspective
        return warp(pictures[0], np.array(self.matrix), (width, height), **options)

    def differentiate(self, *pictures: Floats) -> tuple[Floats, Pull]:
        corners = self._corners(*pictures[0].shape[:2])
        flat = pictures[0].reshape(-1, pictures[0].shape[2])
        width = pictures[0].shape[1]
        result = sum(flat[rows * width + columns] * weights[..., None] for rows, columns, weights in corners)

        def pull(gradient: Floats) -> tuple[Floats, ...]:
            back = np.zeros_like(flat)
            for rows, columns, weights in corners:
                np.add.at(back, rows * width + columns, gradient * weights[..., None])
            return (back.reshape(pictures[0].shape),)

        return np.asarray(result, np.float32), pull

    def field(self, mask: Mask, size: tuple[int, int]) -> Mask:
        back = np.zeros(size, np.bool_)
        for rows, columns, weights in self._corners(*size):
            here = mask & (weights > 0)
            back[rows[here], columns[here]] = True
        return back

    def _corners(self, height: int, width: int) -> list[_Corner]:
        """The four pixels that each of the result lies between: rows, columns and shares, all of its size."""
        new_height, new_width = self._size(height, width)
        columns, rows = np.meshgrid(np.arange(new_width), np.arange(new_height))
        positions = np.linalg.inv(self._whole) @ np.stack([columns.ravel(), rows.ravel(), np.ones(columns.size)])
        x, y = (each.reshape(new_height, new_width) for each in positions[:2] / positions[2])
        left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
        found = []
        for down in (0, 1):
            for across in (0, 1):
                share = np.abs(1 - across - (x - left)) * np.abs(1 - down - (y - top))
                row, inside_row = self._inside(top + down, height)
                column, inside_column = self._inside(left + across, width)
                found.append((row, column, (share * inside_row * inside_column).astype(np.float32)))
        return found

    def _inside(self, positions: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Pixels for positions that may lie outside, and whether there is one."""
        before, after = max(0, -int(positions.min())), max(0, int(positions.max()) - size + 1)
        there = indices(self.border, before, size, after)[positions + before]
        return np.maximum(there, 0), there >= 0

    def _size(self, height: int, width: int) -> tuple[int, int]:
        return self.height or height, self.width or width

    @property
    def _whole(self) -> Floats:
        rows = [*self.matrix, (0.0, 0.0, 1.0)][:3]
        return np.array(rows)
