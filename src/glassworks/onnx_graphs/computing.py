"""Operators of ONNX that compute, in PyTorch: attributes and inputs -> output.

Semantics: https://onnx.ai/onnx/operators.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from glassworks.errors import Unsupported
from glassworks.onnx_graphs.moving import Attributes, Operator, axes_of

_TWO = 2


def as_tensor(value: Any) -> Any:
    return torch.tensor(value) if isinstance(value, int | float) else value


def pads(attributes: Attributes, x: Any, kernel: Sequence[int]) -> tuple[list[int], list[int]]:
    """(before, after) an axis; `SAME_UPPER` and `SAME_LOWER` need sizes that are known."""
    axes = len(kernel)
    mode = attributes.get("auto_pad", b"NOTSET").decode()
    if mode in ("NOTSET", "VALID", ""):
        pads = list(attributes.get("pads", [0] * 2 * axes)) if mode != "VALID" else [0] * 2 * axes
        return pads[:axes], pads[axes:]
    strides, dilations = attributes.get("strides", [1] * axes), attributes.get("dilations", [1] * axes)
    before, after = [], []
    for axis in range(axes):
        size = int(x.shape[2 + axis])
        reach = dilations[axis] * (kernel[axis] - 1) + 1
        total = max((-(-size // strides[axis]) - 1) * strides[axis] + reach - size, 0)
        small = total // 2
        before.append(small if mode == "SAME_UPPER" else total - small)
        after.append(total - before[-1])
    return before, after


def padded(x: Any, before: Sequence[int], after: Sequence[int], value: float) -> tuple[Any, list[int]]:
    """The input, and the even padding that is left to the operator."""
    if list(before) == list(after):
        return x, list(before)
    flat = [amount for pair in zip(reversed(before), reversed(after), strict=True) for amount in pair]
    return functional.pad(x, flat, value=value), [0] * len(before)


def conv(attributes: Attributes, x: Any, weight: Any, bias: Any = None) -> Any:
    axes = weight.ndim - 2
    x, padding = padded(x, *pads(attributes, x, weight.shape[2:]), 0.0)
    strides, dilations = attributes.get("strides", [1] * axes), attributes.get("dilations", [1] * axes)
    groups = attributes.get("group", 1)
    return torch.ops.aten.convolution(x, weight, bias, strides, padding, dilations, False, [0] * axes, groups)


def max_pool(attributes: Attributes, x: Any) -> Any:
    kernel = list(attributes["kernel_shape"])
    if len(kernel) != _TWO or attributes["outputs"] > 1:
        raise Unsupported("no gradient is known of this MaxPool", "methods that need predictions explain it")
    before, after = pads(attributes, x, kernel)
    uneven = before != after or any(pad > size // 2 for pad, size in zip(before, kernel, strict=True))
    if uneven:
        x = functional.pad(x, [before[1], after[1], before[0], after[0]], value=-3.0e38)
        before = [0, 0]
    strides, dilations = attributes.get("strides", [1, 1]), attributes.get("dilations", [1, 1])
    return functional.max_pool2d(x, kernel, strides, before, dilations, bool(attributes.get("ceil_mode", 0)))


def average_pool(attributes: Attributes, x: Any) -> Any:
    kernel = list(attributes["kernel_shape"])
    before, after = pads(attributes, x, kernel)
    if len(kernel) != _TWO or before != after or any(step != 1 for step in attributes.get("dilations", [1])):
        raise Unsupported("no gradient is known of this AveragePool", "methods that need predictions explain it")
    included, ceil = bool(attributes.get("count_include_pad", 0)), bool(attributes.get("ceil_mode", 0))
    return functional.avg_pool2d(x, kernel, attributes.get("strides", [1, 1]), before, ceil, included)


def gemm(attributes: Attributes, a: Any, b: Any, c: Any = None) -> Any:
    a = a.T if attributes.get("transA") else a
    b = b.T if attributes.get("transB") else b
    found = (a @ b) * attributes.get("alpha", 1.0)
    return found if c is None else found + c * attributes.get("beta", 1.0)


def normalize(attributes: Attributes, x: Any, scale: Any, bias: Any, mean: Any, variance: Any) -> Any:
    shape = [1, -1, *[1] * (x.ndim - 2)]
    factor = scale / torch.sqrt(variance + attributes.get("epsilon", 1e-5))
    return x * factor.reshape(shape) + (bias - mean * factor).reshape(shape)


def layer_norm(attributes: Attributes, x: Any, scale: Any, bias: Any = None) -> Any:
    axes = tuple(range(attributes.get("axis", -1) % x.ndim, x.ndim))
    centered = x - x.mean(axes, keepdim=True)
    found = centered * torch.rsqrt((centered * centered).mean(axes, keepdim=True) + attributes.get("epsilon", 1e-5))
    return found * scale if bias is None else found * scale + bias


def reduce(kind: str, attributes: Attributes, x: Any, axes: Any = None) -> Any:
    where = axes_of(attributes, axes)
    if where is None:
        where = list(range(x.ndim))
    return getattr(x, kind)(where, keepdim=bool(attributes.get("keepdims", 1)))


def softmax(kind: str, attributes: Attributes, x: Any) -> Any:
    last = attributes["opset"] >= 13
    axis = attributes.get("axis", -1 if last else 1) % x.ndim
    if not last and axis != x.ndim - 1:
        raise Unsupported("no gradient is known of such a Softmax", "methods that need predictions explain it")
    return getattr(x, kind)(axis)


def clip(attributes: Attributes, x: Any, low: Any = None, high: Any = None) -> Any:
    low = attributes.get("min") if low is None else float(low)
    high = attributes.get("max") if high is None else float(high)
    return x.clamp(low, high)


def gelu(attributes: Attributes, x: Any) -> Any:
    return functional.gelu(x, approximate=attributes.get("approximate", b"none").decode())


def plain(function: Operator) -> Operator:
    return lambda _, *given: function(*map(as_tensor, given))
