"""What lies outside a picture: OpenCV's kinds of border, as numbers, as indices and in ONNX graphs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glassworks.imaging.operator import Floats, Graph

Border = Literal["reflect101", "reflect", "replicate", "constant"]
"""gfedcb|abcdefgh|gfedcba, fedcba|abcdefgh|hgfedcb, aaaaaa|abcdefgh|hhhhhhh, and zeros."""
AnyBorder = Literal["reflect101", "reflect", "replicate", "constant", "wrap"]
"""Also cdefgh|abcdefgh|abcdefg. OpenCV's filters do not take it."""
_NUMBERS: Mapping[str, int] = MappingProxyType(
    {"constant": 0, "replicate": 1, "reflect": 2, "wrap": 3, "reflect101": 4}
)


def number(border: AnyBorder) -> int:
    """OpenCV's number of it (cv::BorderTypes)."""
    return _NUMBERS[border]


def indices(border: AnyBorder, before: int, size: int, after: int) -> NDArray[np.int64]:
    """The pixel of a row of `size` at each position from `-before` to `size + after`; -1 for none."""
    positions = np.arange(-before, size + after)
    if border == "constant":
        return np.where((positions >= 0) & (positions < size), positions, -1)
    if border == "replicate":
        return np.clip(positions, 0, size - 1)
    if border == "wrap":
        return positions % size
    period = max(2 * size - 2, 1) if border == "reflect101" else 2 * size
    turned = positions % period
    return np.minimum(turned, period - turned if border == "reflect101" else period - 1 - turned)


def padded(picture: Floats, border: AnyBorder, reach: int) -> Floats:
    """H W C with so many pixels more at each side."""
    for axis in (0, 1):
        where = indices(border, reach, picture.shape[axis], reach)
        found = np.take(picture, np.maximum(where, 0), axis=axis)
        shape = [1] * picture.ndim
        shape[axis] = -1
        picture = found * (where >= 0).reshape(shape).astype(np.float32)
    return picture


def folded(gradient: Floats, border: AnyBorder, reach: int) -> Floats:
    """The gradient of a padded picture as that of the picture: the adjoint of `padded`."""
    for axis in (1, 0):
        moved = np.moveaxis(gradient, axis, 0)
        size = moved.shape[0] - 2 * reach
        where = indices(border, reach, size, reach)
        back = moved[reach : reach + size].copy()
        for position in (*range(reach), *range(reach + size, len(where))):
            if where[position] >= 0:
                back[where[position]] += moved[position]
        gradient = np.moveaxis(back, 0, axis)
    return gradient


def lower_padding(graph: Graph, value: str, border: AnyBorder, reach: int) -> str:
    """The same for a value (N C H W) of an ONNX graph, of any size: positions are computed in the graph."""
    if border == "constant":
        return graph.op("Pad", value, graph.constant([0, 0, reach, reach, 0, 0, reach, reach]))
    for axis in (2, 3):
        value = graph.op("Gather", value, _lowered_indices(graph, value, border, reach, axis), axis=axis)
    return value


def _lowered_indices(graph: Graph, value: str, border: AnyBorder, reach: int, axis: int) -> str:
    one, zero = graph.constant(np.array(1)), graph.constant(np.array(0))
    size = graph.op("Squeeze", graph.op("Shape", value, start=axis, end=axis + 1))
    end = graph.op("Add", size, graph.constant(np.array(reach)))
    positions = graph.op("Range", graph.constant(np.array(-reach)), end, one)
    last = graph.op("Sub", size, one)
    if border == "replicate":
        return graph.op("Max", graph.op("Min", positions, last), zero)
    if border == "wrap":
        return graph.op("Mod", positions, size)
    double = graph.op("Add", last, last)
    if border == "reflect101":
        period = graph.op("Max", double, one)
        turned = graph.op("Mod", positions, period)
        return graph.op("Min", turned, graph.op("Sub", period, turned))
    period = graph.op("Add", size, size)
    turned = graph.op("Mod", positions, period)
    return graph.op("Min", turned, graph.op("Sub", graph.op("Sub", period, one), turned))
