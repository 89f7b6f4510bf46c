"""Tensors on the wire: the Open Inference Protocol's JSON and its binary tensor data extension.

BYTES sent as bytes become arrays of `bytes`, those sent as JSON arrays of `str`: only the model knows whether its
texts are texts or files in base64.
"""

from __future__ import annotations

import functools
import math
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import ml_dtypes
import msgspec
import numpy as np

from glassworks.errors import InputError
from glassworks.serving.codec.json_data import (
    LARGE_BYTES,
    check_texts,
    check_values,
    count_error,
    flat,
    is_long_and_flat,
    numbers,
    numbers_of,
    plain_text,
)

if TYPE_CHECKING:
    from glassworks.contracts import Array

Parameter = str | int | float | bool
_Data = TypeVar("_Data", list[float], msgspec.Raw)
DTYPES: Mapping[str, np.dtype[Any]] = MappingProxyType(
    {
        "BOOL": np.dtype(np.bool_),
        "BF16": np.dtype(ml_dtypes.bfloat16),
        "FP16": np.dtype("<f2"),
        "FP32": np.dtype("<f4"),
        "FP64": np.dtype("<f8"),
        **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
        **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    }
)
LARGE_SIZE = 2**17
"""Elements of an answer; more are written on a thread."""
FLOATS = frozenset({"BF16", "FP16", "FP32", "FP64"})
_HEADS, _SHORT_BYTES = 256, 1024
"""JSON that is remembered, and the longest that is."""
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class TensorLimits:
    """How large one tensor may be; data in JSON is nested at most as deep as it has dimensions."""

    max_elements: int = 2**28
    max_dimensions: int = 32


_LIMITS = TensorLimits()


class InputTensor(msgspec.Struct, Generic[_Data]):
    """An input as it is sent."""

    name: str
    shape: list[int]
    datatype: str
    data: _Data | msgspec.UnsetType = msgspec.UNSET
    parameters: dict[str, Parameter] = {}


class RequestedOutput(msgspec.Struct):
    """An output that is asked for."""

    name: str
    parameters: dict[str, Parameter] = {}


class InferBody(msgspec.Struct, Generic[_Data]):
    """The JSON of an inference or explanation request."""

    inputs: list[InputTensor[_Data]]
    id: str | None = None
    outputs: list[RequestedOutput] = []
    parameters: dict[str, Parameter] = {}


AnyTensor = InputTensor[list[float]] | InputTensor[msgspec.Raw]
AnyBody = InferBody[list[float]] | InferBody[msgspec.Raw]
# Flat floats are read at once; other data stays unparsed until its datatype is looked at.
_decode_floats = msgspec.json.Decoder(InferBody[list[float]]).decode
_decode_any = msgspec.json.Decoder(InferBody[msgspec.Raw]).decode
_TYPES: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {"f": (float, int), "V": (float, int), "i": (int,), "u": (int,), "b": (bool,)}
)


def parse_request(
    body: bytes | bytearray, header_length: int | None, limits: TensorLimits = _LIMITS
) -> tuple[AnyBody, dict[str, Array]]:
    """The request and its input tensors; binary ones are views of `body`. Raises InputError."""
    if header_length is None:
        request, counts = _read(body, limits)
        return request, _tensors(request, counts, memoryview(b""))
    if not 0 < header_length <= len(body):
        raise InputError(
            f"Inference-Header-Content-Length is {header_length}, the body has {len(body)} bytes",
            "give the length of the JSON at the beginning of the body",
        )
    view = memoryview(body)
    read = _read_again if header_length <= _SHORT_BYTES else _read
    request, counts = read(bytes(view[:header_length]), limits)
    return request, _tensors(request, counts, view[header_length:])


def _read(head: bytes | bytearray, limits: TensorLimits) -> tuple[AnyBody, list[int]]:
    """A request's JSON, and how many elements each of its inputs has."""
    try:
        if len(head) <= LARGE_BYTES:
            request = _decode(head)
        else:
            check_values(memoryview(head), "the request", numbers_too=False)
            request = _decode_any(head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if len(plain := plain_text(head)) < len(head):
            return _read(plain, limits)
        raise InputError(f"the request is not valid: {error}", "send the JSON of an inference request") from None
    return request, [elements(each.name, each.datatype, each.shape, limits) for each in request.inputs]


# The JSON before tensors in bytes is nearly always one that came before. Nobody changes what it was read as.
_read_again = functools.lru_cache(_HEADS)(_read)


def _decode(head: bytes | bytearray) -> AnyBody:
    try:
        request = _decode_floats(head)
    except msgspec.ValidationError:
        return _decode_any(head)
    if all(tensor.data is msgspec.UNSET or tensor.datatype in FLOATS for tensor in request.inputs):
        return request
    return _decode_any(head)


def _tensors(request: AnyBody, counts: Sequence[int], rest: memoryview) -> dict[str, Array]:
    tensors: dict[str, Array] = {}
    inputs: Sequence[AnyTensor] = request.inputs
    for tensor, count in zip(inputs, counts, strict=True):
        if tensor.name in tensors:
            raise InputError(f"the input '{tensor.name}' is given twice", "give each input once")
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            tensors[tensor.name] = _from_json(tensor, count)
            continue
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(rest):
            raise InputError(
                f"the input '{tensor.name}' has binary_data_size {size!r}, {len(rest)} bytes are left",
                "give the number of its bytes behind the JSON",
            )
        if tensor.data is not msgspec.UNSET:
            raise InputError(f"the input '{tensor.name}' has both data and binary_data_size", "send one of them")
        tensors[tensor.name] = _from_bytes(tensor, count, rest[:size])
        rest = rest[size:]
    if len(rest):
        raise InputError(f"{len(rest)} bytes are left behind the last input", "make the sizes add up to the body")
    if not tensors:
        raise InputError("the request has no inputs", "send the model's inputs")
    return tensors


def elements(name: str, datatype: str, shape: Sequence[int], limits: TensorLimits = _LIMITS) -> int:
    """How many elements a described input has. Raises InputError for what no tensor can be."""
    if datatype not in DTYPES and datatype != "BYTES":
        raise InputError(
            f"the input '{name}' has the datatype '{datatype[:100]}'", f"allowed: {', '.join(DTYPES)}, BYTES"
        )
    sizes = shape or [1]
    if len(sizes) > limits.max_dimensions or min(sizes) < 0 or max(sizes) > limits.max_elements:
        raise InputError(
            f"the input '{name}' has the shape {reprlib.repr(list(shape))}",
            f"give at most {limits.max_dimensions} sizes from 0 to {limits.max_elements}",
        )
    count = math.prod(shape)
    if datatype == "BYTES":
        check_texts(count, name)
    if count > limits.max_elements:
        raise InputError(
            f"the input '{name}' has {count} elements, at most {limits.max_elements} are allowed", "send fewer rows"
        )
    return count


def _from_bytes(tensor: AnyTensor, count: int, data: memoryview) -> Array:
    return from_bytes(tensor.name, tensor.datatype, tensor.shape, count, data)


def from_bytes(name: str, datatype: str, shape: Sequence[int], count: int, data: memoryview | bytes) -> Array:
    """A tensor of `count` elements as it is sent in bytes, little-endian; a view of `data` where it can be one."""
    if datatype == "BYTES":
        return _strings(name, shape, _split(name, shape, data, count), count)
    dtype = DTYPES[datatype]
    if len(data) != count * dtype.itemsize:
        raise InputError(
            f"the input '{name}' has {len(data)} bytes, its shape {list(shape)} of {datatype} "
            f"needs {count * dtype.itemsize}",
            "make shape and the number of bytes agree",
        )
    if datatype == "BOOL":
        return np.frombuffer(data, np.uint8).astype(np.bool_).reshape(shape)
    return np.frombuffer(data, dtype).reshape(shape)


def _split(name: str, shape: Sequence[int], data: memoryview | bytes, count: int) -> list[bytes]:
    """Elements of four bytes of length (little-endian) and that many bytes."""
    found: list[bytes] = []
    position = 0
    while position < len(data):
        end = position + 4
        length = int.from_bytes(data[position:end], "little")
        if end + length > len(data):
            raise InputError(
                f"the input '{name}' is cut off in its element {len(found)}", "send length and bytes of each element"
            )
        if len(found) == count:
            raise count_error(name, shape, count + 1, count)
        found.append(bytes(data[end : end + length]))
        position = end + length
    return found


def _from_json(tensor: AnyTensor, count: int) -> Array:
    name, datatype, shape, data = tensor.name, tensor.datatype, tensor.shape, tensor.data
    if data is msgspec.UNSET:
        raise InputError(f"the input '{name}' has no data", "send data, or binary_data_size and the bytes")
    if datatype == "BYTES":
        return _strings(name, shape, flat(data, name, datatype, shape, (str,)), count)  # type: ignore[arg-type]
    dtype = DTYPES[datatype]
    if not isinstance(data, list):
        if is_long_and_flat(data):
            return numbers(data, name, datatype, dtype, shape, _TYPES[dtype.kind]).reshape(shape)
        data = flat(data, name, datatype, shape, _TYPES[dtype.kind])
    if len(data) != count:
        raise count_error(name, shape, len(data), count)
    return numbers_of(data, name, datatype, dtype).reshape(shape)


def _strings(name: str, shape: Sequence[int], values: Sequence[bytes] | Sequence[str], count: int) -> Array:
    if len(values) != count:
        raise count_error(name, shape, len(values), count)
    array = np.empty(count, object)
    array[:] = values
    return array.reshape(shape)


def datatype(values: Array) -> str:
    """The protocol's name of an array's type."""
    return datatype_of(values.dtype)


def datatype_of(dtype: np.dtype[Any]) -> str:
    """The protocol's name of a type of numbers, or of texts."""
    return "BYTES" if dtype.hasobject else _NAMES[dtype]


def to_bytes(values: Array) -> bytes:
    """A tensor as it is sent in bytes."""
    if values.dtype.hasobject:
        elements: list[bytes] = values.ravel().tolist()
        return b"".join(len(element).to_bytes(4, "little") + element for element in elements)
    return values.tobytes()


def to_json(values: Array) -> list[Any]:
    """A tensor as one flat list; texts that are not UTF-8 lose what is not."""
    flat: list[Any] = values.ravel().tolist()
    return [element.decode("utf-8", "replace") for element in flat] if values.dtype.hasobject else flat
