"""The usual request in JSON, read quickly: flat floating-point numbers go from text into an array without a list.

Whatever is unusual is left to `tensors.parse_request`, which also words all errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import simdjson

from glassworks.errors import InputError
from glassworks.serving.codec.tensors import DTYPES, FLOATS, AnyBody, InferBody, InputTensor, TensorLimits, elements

if TYPE_CHECKING:
    from glassworks.contracts import Array

_KEYS = frozenset({"inputs", "outputs", "parameters", "id"})
_UNUSUAL = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RuntimeError, FloatingPointError)
_rest = InferBody[msgspec.Raw]


class QuickReader:
    """Reads one request at a time; not safe to share between threads."""

    def __init__(self, limits: TensorLimits) -> None:
        self._limits = limits
        self._parser = simdjson.Parser()

    def read(self, body: bytes | bytearray) -> tuple[AnyBody, dict[str, Array]] | None:
        """The request and its tensors; None when it is not of the usual kind, whatever is wrong with it."""
        try:
            return self._read(body)
        except (*_UNUSUAL, msgspec.ValidationError, InputError):
            return None

    def _read(self, body: bytes | bytearray) -> tuple[AnyBody, dict[str, Array]] | None:
        document: Any = self._parser.parse(body)
        keys = list(document.keys())
        if not _KEYS.issuperset(keys):
            return None
        inputs, lists = document["inputs"], 1
        described: list[InputTensor[msgspec.Raw]] = []
        tensors: dict[str, Array] = {}
        for tensor in inputs:
            name, values = self._tensor(tensor)
            if name in tensors:
                return None
            tensors[name] = values
            described.append(InputTensor(name, list(values.shape), tensor["datatype"]))
            lists += 2
        rest: dict[str, Any] = {}
        for key in keys:
            if key != "inputs":
                value = document[key]
                if key == "outputs":
                    rest[key] = value.as_list()
                    lists += 1
                else:
                    rest[key] = value.as_dict() if key == "parameters" else value
        # Nested data, or a bracket in a name, is for the careful way.
        if not tensors or not _has_lists(body, lists):
            return None
        request: AnyBody = msgspec.convert({"inputs": (), **rest}, _rest) if rest else InferBody([])
        request.inputs = described
        return request, tensors

    def _tensor(self, tensor: Any) -> tuple[str, Array]:
        name, datatype, shape = tensor["name"], tensor["datatype"], tensor["shape"].as_list()
        if len(tensor) != 4 or type(name) is not str or datatype not in FLOATS:
            raise KeyError(name)
        if not all(type(size) is int for size in shape):
            raise TypeError(name)
        count = elements(name, datatype, shape, self._limits)
        values = np.frombuffer(tensor["data"].as_buffer(of_type="d"), np.float64)
        if values.size != count:
            raise ValueError(name)
        if datatype != "FP64":
            with np.errstate(over="raise"):
                values = values.astype(DTYPES[datatype])
        return name, values.reshape(shape)


def _has_lists(body: bytes | bytearray, count: int) -> bool:
    """Whether so many brackets open; counting them takes ten times as long as looking for the next one."""
    position = -1
    for _ in range(count):
        position = body.find(b"[", position + 1)
        if position < 0:
            return False
    return body.find(b"[", position + 1) < 0
