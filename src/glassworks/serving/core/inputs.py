"""What is sent, checked against what a model takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from glassworks.errors import InputError
from glassworks.serving.codec.base64_text import decoded
from glassworks.serving.codec.tensors import datatype

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glassworks.contracts import Array, Tensors, TensorSpec

_TEXTS = "send one text a row"
_PICTURES = "send that shape, or picture files as BYTES of shape [N]"


def files(values: NDArray[np.generic]) -> list[bytes]:
    """The files that a tensor of BYTES holds, one a row. Raises InputError."""
    if values.ndim != 1 and values.shape[1:] != (1,):
        raise InputError(f"the files have the shape {list(values.shape)}", "send one a row: shape [N] or [N, 1]")
    found: list[bytes | str] = values.ravel().tolist()
    if not found:
        raise InputError("the request holds no file", "send at least one")
    return [decoded(file) if isinstance(file, str) else file for file in found]


def texts(values: NDArray[np.generic]) -> Array:
    """Texts that came as JSON in the bytes of UTF-8, as engines take them."""
    flat: list[bytes | str] = values.ravel().tolist()
    found = np.empty(len(flat), object)
    try:
        found[:] = [each.encode() if isinstance(each, str) else each for each in flat]
    except UnicodeEncodeError:
        raise InputError("the request holds text that is not valid Unicode", "send UTF-8") from None
    return found.reshape(values.shape)


def check_names(tensors: Tensors, inputs: Mapping[str, TensorSpec]) -> None:
    """Raise InputError unless what is sent are the model's inputs, all of them."""
    for name in tensors:
        if name not in inputs:
            raise InputError(f"the model has no input '{name}'", f"its inputs: {', '.join(inputs)}")
    for name in inputs:
        if name not in tensors:
            raise InputError(f"the input '{name}' is missing", f"send all inputs: {', '.join(inputs)}")


def check_rows(tensors: Tensors) -> None:
    """Raise InputError unless all inputs have as many rows."""
    if len(tensors) > 1 and len(rows := {len(values) for values in tensors.values()}) > 1:
        raise InputError(f"the inputs have {sorted(rows)} rows", "send as many rows of each input")


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    if len(shape) != len(wanted):
        return False
    # Usually only the number of rows is variable.
    rows_only = wanted[:1] == (-1,) and shape[1:] == wanted[1:]
    return rows_only or all(want in (-1, have) for want, have in zip(wanted, shape, strict=True))


def check(values: NDArray[np.generic], spec: TensorSpec) -> None:
    """Raise InputError unless a tensor has the shape and datatype that the model takes, and a row."""
    shape = values.shape
    if not _fits(shape, spec.shape):
        raise InputError(
            f"the input '{spec.name}' has the shape {list(shape)}, the model takes {list(spec.shape)} (-1: any)",
            _TEXTS if spec.datatype == "BYTES" else _PICTURES,
        )
    if shape[0] == 0:
        raise InputError(f"the input '{spec.name}' has no rows", "send at least one row")
    if datatype(values) != spec.datatype:
        raise InputError(
            f"the input '{spec.name}' was sent as {datatype(values)}, the model takes {spec.datatype}",
            f"send {spec.datatype}",
        )
