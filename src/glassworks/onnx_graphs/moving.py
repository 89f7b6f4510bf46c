"""Operators of ONNX that move values about, in PyTorch: attributes and inputs -> output, or a tuple of outputs.

Semantics: https://onnx.ai/onnx/operators. Shapes are followed as Python numbers, so that a batch stays free when they
are traced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from glassworks.errors import Unsupported

Attributes = Mapping[str, Any]
Operator = Callable[..., Any]
_FEW = 4


def tensor(array: Any) -> torch.Tensor:
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    return torch.from_numpy(np.array(array))


def numbers(value: Any) -> list[Any]:
    """Integers of a shape, as Python has them or as a constant does."""
    if isinstance(value, torch.Tensor):
        return [int(each) for each in value.reshape(-1).tolist()]
    return list(value) if isinstance(value, list | tuple) else [value]


def shapes(shape: Callable[[Any, Any], Any], tensors: Operator) -> Operator:
    """An elementwise operator of two, on tensors, or on the numbers of shapes."""

    def both(_: Attributes, a: Any, b: Any) -> Any:
        if isinstance(a, list) or isinstance(b, list):
            left, right = numbers(a), numbers(b)
            most = max(len(left), len(right))
            left, right = (each * most if len(each) == 1 else each for each in (left, right))
            return [shape(x, y) for x, y in zip(left, right, strict=True)]
        return tensors(a, b)

    return both


def flatten(attributes: Attributes, x: Any) -> Any:
    axis = attributes.get("axis", 1)
    if axis in (1, 1 - x.ndim):
        return x.flatten(1)
    raise Unsupported("no gradient is known of a Flatten at another axis", "methods that need predictions explain it")


def reshape(attributes: Attributes, x: Any, shape: Any) -> Any:
    wanted = numbers(shape)
    if isinstance(x, list):
        return x
    if not attributes.get("allowzero"):
        wanted = [x.shape[axis] if isinstance(size, int) and size == 0 else size for axis, size in enumerate(wanted)]
    return x.reshape(wanted)


def concat(attributes: Attributes, *parts: Any) -> Any:
    if any(isinstance(part, list) for part in parts):
        return [number for part in parts for number in numbers(part)]
    return torch.cat(parts, dim=attributes["axis"])


def gather(attributes: Attributes, x: Any, at: Any) -> Any:
    if isinstance(x, list):
        return [x[index] for index in numbers(at)]
    axis = attributes.get("axis", 0) % x.ndim
    index = at if isinstance(at, torch.Tensor) else torch.tensor(numbers(at))
    if index.ndim == 1 and len(index) <= _FEW:  # such as the order of colors: slices have a plain gradient
        return torch.cat([x.narrow(axis, position % x.shape[axis], 1) for position in index.tolist()], dim=axis)
    size = x.shape[axis]
    index = torch.where(index < 0, index + size, index)
    found = x.index_select(axis, index.reshape(-1))
    return found.reshape([*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]])


def slice_of(attributes: Attributes, x: Any, *rest: Any) -> Any:
    parts = [attributes.get(key) for key in ("starts", "ends", "axes", "steps")] if not rest else [*rest, None, None]
    starts, ends = numbers(parts[0]), numbers(parts[1])
    axes = numbers(parts[2]) if parts[2] is not None else list(range(len(starts)))
    steps = numbers(parts[3]) if len(parts) > 3 and parts[3] is not None else [1] * len(starts)
    if isinstance(x, list):
        return x[starts[0] : ends[0] : steps[0]]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step < 0:
            if step != -1 or abs(end) < x.shape[axis]:
                raise Unsupported("no gradient is known of such a Slice", "methods that need predictions explain it")
            x = x.flip(axis)
        else:
            x = torch.ops.aten.slice(x, axis, start, min(end, 2**62), step)
    return x


def axes_of(attributes: Attributes, given: Any) -> list[int] | None:
    found = given if given is not None else attributes.get("axes")
    return None if found is None else numbers(found)


def unsqueeze(attributes: Attributes, x: Any, axes: Any = None) -> Any:
    if isinstance(x, list | int):
        return numbers(x)
    where = axes_of(attributes, axes) or []
    for axis in sorted(each % (x.ndim + len(where)) for each in where):
        x = x.unsqueeze(axis)
    return x


def squeeze_of(attributes: Attributes, x: Any, axes: Any = None) -> Any:
    if isinstance(x, list):
        return x
    where = axes_of(attributes, axes)
    if where is None:
        return x.squeeze()
    for axis in sorted((each % x.ndim for each in where), reverse=True):
        x = x.squeeze(axis)
    return x


def pad(attributes: Attributes, x: Any, pads: Any = None, value: Any = None, axes: Any = None) -> Any:
    amounts = numbers(pads if pads is not None else attributes["pads"])
    if attributes.get("mode", b"constant") != b"constant" or axes is not None:
        raise Unsupported("no gradient is known of such a Pad", "methods that need predictions explain it")
    half = len(amounts) // 2
    flat = [amount for axis in reversed(range(half)) for amount in (amounts[axis], amounts[half + axis])]
    return functional.pad(x, flat, value=float(value) if value is not None else attributes.get("value", 0.0))


def split_of(attributes: Attributes, x: Any, sizes: Any = None) -> Any:
    axis = attributes.get("axis", 0)
    parts = sizes if sizes is not None else attributes.get("split")
    if parts is None:
        return tuple(x.chunk(attributes["outputs"], axis))
    return tuple(torch.split(x, numbers(parts), axis))


def cast(attributes: Attributes, x: Any) -> Any:
    from onnx import helper

    if isinstance(x, list):
        return x
    kind = np.dtype(helper.tensor_dtype_to_np_dtype(attributes["to"]))
    if kind.kind == "f":
        return x.to(torch.float32)
    if x.is_floating_point():
        raise Unsupported("no gradient is known of a Cast to whole numbers", "methods that need predictions explain it")
    return x.to(torch.from_numpy(np.zeros(1, kind)).dtype)


def constant(attributes: Attributes) -> Any:
    from onnx import numpy_helper

    if "value" in attributes:
        return tensor(numpy_helper.to_array(attributes["value"]))
    return torch.tensor(next(value for key, value in attributes.items() if key.startswith("value_")))


def expand(_: Attributes, x: Any, shape: Any) -> Any:
    return x * torch.ones(numbers(shape))


def shape_of(_: Attributes, x: Any) -> Any:
    return list(x.shape)
