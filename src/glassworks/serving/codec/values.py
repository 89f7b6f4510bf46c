"""Plain JSON values as a model's input: nested lists of numbers, texts, and files in base64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.errors import InputError
from glassworks.serving.codec.base64_text import decoded
from glassworks.serving.codec.json_data import check_texts
from glassworks.serving.codec.tensors import DTYPES

if TYPE_CHECKING:
    from glassworks.contracts import Array, TensorSpec

_PARTS = 64


def tensor_of(values: Sequence[Any], spec: TensorSpec) -> Array:
    """One row a value. Texts, and `{"b64": ...}` of any bytes, make a tensor of BYTES. Raises InputError."""
    if all(isinstance(value, str) or _is_base64(value) for value in values):
        check_texts(len(values), spec.name)
        array = np.empty(len(values), object)
        array[:] = [value if isinstance(value, str) else decoded(value["b64"]) for value in values]
        return array
    dtype = DTYPES.get(spec.datatype)
    if dtype is None:
        raise InputError(f"the input '{spec.name}' takes texts", "send one text a row")
    try:
        with np.errstate(over="raise"):
            exact = _array(values)
            if exact.dtype.kind not in "biuf" or (dtype.kind in "iu" and exact.dtype.kind == "f"):
                raise ValueError(exact.dtype)
            array = exact.astype(dtype)
    except (ValueError, TypeError, OverflowError, FloatingPointError):
        raise InputError(
            f"the input '{spec.name}' is not a list of {spec.datatype} of one shape", "nest every row in the same way"
        ) from None
    if dtype.kind in "iu" and not np.array_equal(array, exact):
        raise InputError(f"the input '{spec.name}' holds numbers that do not fit {spec.datatype}", "send smaller ones")
    return array


def _array(values: Sequence[Any]) -> Array:
    """Nested lists of one shape; a few rows at a time, between which others have the interpreter."""
    step = len(values) // _PARTS + 1
    return np.concatenate([np.array(values[begin : begin + step]) for begin in range(0, len(values), step)])


def _is_base64(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("b64"), str)
