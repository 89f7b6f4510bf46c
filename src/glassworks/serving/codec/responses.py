"""The body of an answer: JSON, or bytes of tensors behind it."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from glassworks.serving.codec.json_data import long_list
from glassworks.serving.codec.tensors import LARGE_SIZE, datatype, datatype_of, to_bytes, to_json

if TYPE_CHECKING:
    import numpy as np

    from glassworks.contracts import Array

_HEADS = 256
"""Beginnings of answers that are remembered."""


def render_response(
    head: dict[str, Any], outputs: Mapping[str, Array], binary: Mapping[str, bool]
) -> tuple[bytes, int | None]:
    """The body of an answer and the length of its JSON when binary tensors follow it."""
    described: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for name, values in outputs.items():
        tensor: dict[str, Any] = {"name": name, "datatype": datatype(values), "shape": list(values.shape)}
        if binary.get(name):
            parts.append(to_bytes(values))
            tensor["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            tensor["data"] = (
                to_json(values) if values.size <= LARGE_SIZE or values.dtype.hasobject else long_list(values)
            )
        described.append(tensor)
    text = msgspec.json.encode({**head, "outputs": described})
    return (text + b"".join(parts), len(text)) if parts else (text, None)


def binary_response(model: str, version: str, outputs: Mapping[str, Array]) -> tuple[bytes, int]:
    """The body of an answer whose outputs are all in bytes, and the length of its JSON."""
    layout = tuple([(name, values.dtype, values.shape) for name, values in outputs.items()])
    begin = _head(model, version, layout)
    if not begin:
        head = {"model_name": model, "model_version": version}
        text, length = render_response(head, outputs, dict.fromkeys(outputs, True))
        return text, length or 0
    return b"".join([begin, *map(to_bytes, outputs.values())]), len(begin)


@functools.lru_cache(_HEADS)
def _head(model: str, version: str, layout: tuple[tuple[str, np.dtype[Any], tuple[int, ...]], ...]) -> bytes:
    """The JSON before numbers in bytes, which is the same for all answers of the same shapes; empty for texts."""
    described = []
    for name, dtype, shape in layout:
        if dtype.hasobject:
            return b""
        size = {"binary_data_size": dtype.itemsize * math.prod(shape)}
        described.append({"name": name, "datatype": datatype_of(dtype), "shape": shape, "parameters": size})
    return msgspec.json.encode({"model_name": model, "model_version": version, "outputs": described})
