"""Weighted sums over a pixel's neighbors: in real numbers with their gradient, and in ONNX graphs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glassworks.imaging.borders import AnyBorder, Border, folded, lower_padding, padded
from glassworks.imaging.operator import Kind, Operator, with_channels

if TYPE_CHECKING:
    from glassworks.imaging.operator import Floats, Graph, Mask, Pixels, Pull

ONNX_TYPES = {"float32": 1, "uint8": 2, "uint16": 4, "int16": 5, "int32": 6, "int64": 7}
"""Numbers of types in ONNX (TensorProto.DataType)."""


class Derivative(Operator):
    """A weighted sum of a pixel's neighbors in float32; of whole numbers the results are whole numbers."""

    border: Border = "reflect101"

    @property
    @abstractmethod
    def weights(self) -> Floats:
        """Square, of odd side."""

    def kind(self, *given: Kind) -> Kind:
        self.needs_depth(given[0], "uint8", "uint16", "float32")
        return Kind("float32", given[0].channels, given[0].whole)

    def apply(self, *pictures: Pixels) -> Pixels:
        return self.into(np.empty(pictures[0].shape, np.float32), *pictures)

    def lower(self, graph: Graph, given: Sequence[tuple[str, Kind]]) -> str:
        value, kind = given[0]
        return lower_stencil(graph, cast(graph, value, "float32"), kind.channels, self.weights, self.border)

    def differentiate(self, *pictures: Floats) -> tuple[Floats, Pull]:
        return stencil(pictures[0], self.weights, self.border)

    def field(self, mask: Mask, size: tuple[int, int]) -> Mask:
        return weighted_field(mask, self.weights)


def stencil(picture: Floats, kernel: Floats, border: AnyBorder) -> tuple[Floats, Pull]:
    """The sum of a pixel's neighbors (H W C), weighted by a square kernel of odd side, and its adjoint."""
    reach = kernel.shape[0] // 2
    result = _correlated(padded(picture, border, reach), kernel, reach)

    def pull(gradient: Floats) -> tuple[Floats, ...]:
        around = np.pad(gradient, ((2 * reach, 2 * reach), (2 * reach, 2 * reach), (0, 0)))
        spread = _correlated(around, np.ascontiguousarray(kernel[::-1, ::-1]), reach)
        return (folded(spread, border, reach),)

    return result, pull


def _correlated(picture: Floats, kernel: Floats, reach: int) -> Floats:
    """Where the whole kernel lies inside."""
    import cv2

    if reach == 0:
        return np.asarray(picture * kernel[0, 0], np.float32)
    whole = with_channels(cv2.filter2D(picture, cv2.CV_32F, kernel, borderType=cv2.BORDER_CONSTANT))
    return np.asarray(whole[reach:-reach, reach:-reach], np.float32)


def weighted_field(mask: Mask, kernel: Floats) -> Mask:
    """The pixels that the marked sums give a weight."""
    import cv2

    weighted = np.ascontiguousarray((kernel != 0)[::-1, ::-1].astype(np.float32))
    return np.asarray(cv2.filter2D(mask.astype(np.float32), -1, weighted, borderType=cv2.BORDER_CONSTANT) > 0)


def lower_stencil(graph: Graph, value: str, channels: int, kernel: Floats, border: AnyBorder) -> str:
    """The same sum for a float32 value (N C H W) of an ONNX graph."""
    around = lower_padding(graph, value, border, kernel.shape[0] // 2)
    weights = graph.constant(np.repeat(kernel[None, None].astype(np.float32), channels, axis=0))
    return graph.op("Conv", around, weights, group=channels)


def cast(graph: Graph, value: str, depth: str) -> str:
    """A value of an ONNX graph as another type; numbers must fit."""
    return graph.op("Cast", value, to=ONNX_TYPES[depth])
