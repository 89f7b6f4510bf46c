"""Tensors on the wire: the Open Inference Protocol's JSON and its binary tensor data extension."""

from __future__ import annotations

import base64
import binascii
import math
import reprlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
import numpy as np

from glassworks.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glassworks.contracts import Array

Parameter = str | int | float | bool
_Data = TypeVar("_Data", list[float], msgspec.Raw)
DTYPES: Mapping[str, np.dtype[Any]] = MappingProxyType(
    {
        "BOOL": np.dtype(np.bool_),
        "FP16": np.dtype("<f2"),
        "FP32": np.dtype("<f4"),
        "FP64": np.dtype("<f8"),
        **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
        **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    }
)
_FLOATS = frozenset({"FP16", "FP32", "FP64"})
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_MAX_ELEMENTS = 2**31
_MAX_DIMENSIONS = 32


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
_TYPES: Mapping[str, tuple[type, ...]] = MappingProxyType({"f": (float, int), "i": (int,), "u": (int,), "b": (bool,)})


def parse_request(body: bytes, header_length: int | None) -> tuple[AnyBody, dict[str, Array]]:
    """The request and its input tensors; binary ones are views of `body`. Raises InputError."""
    view = memoryview(body)
    if header_length is None:
        head, rest = view, view[len(body) :]
    elif 0 < header_length <= len(body):
        head, rest = view[:header_length], view[header_length:]
    else:
        raise InputError(
            f"Inference-Header-Content-Length is {header_length}, the body has {len(body)} bytes",
            "give the length of the JSON at the beginning of the body",
        )
    try:
        request = _decode(head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"the request is not valid: {error}", "send the JSON of an inference request") from None
    return request, _tensors(request, rest)


def _decode(head: memoryview) -> AnyBody:
    try:
        request = _decode_floats(head)
    except msgspec.ValidationError:
        return _decode_any(head)
    if all(tensor.data is msgspec.UNSET or tensor.datatype in _FLOATS for tensor in request.inputs):
        return request
    return _decode_any(head)


def _tensors(request: AnyBody, rest: memoryview) -> dict[str, Array]:
    tensors: dict[str, Array] = {}
    for tensor in request.inputs:
        if tensor.name in tensors:
            raise InputError(f"the input '{tensor.name}' is given twice", "give each input once")
        count = _elements(tensor)
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


def _elements(tensor: AnyTensor) -> int:
    if tensor.datatype not in DTYPES and tensor.datatype != "BYTES":
        raise InputError(
            f"the input '{tensor.name}' has the datatype '{tensor.datatype}'", f"allowed: {', '.join(DTYPES)}, BYTES"
        )
    sizes = tensor.shape or [1]
    if len(sizes) > _MAX_DIMENSIONS or min(sizes) < 0 or max(sizes) > _MAX_ELEMENTS:
        raise InputError(
            f"the input '{tensor.name}' has the shape {reprlib.repr(tensor.shape)}",
            f"give at most {_MAX_DIMENSIONS} sizes from 0 to {_MAX_ELEMENTS}",
        )
    count = math.prod(tensor.shape)
    if count > _MAX_ELEMENTS:
        raise InputError(
            f"the input '{tensor.name}' has {count} elements, at most {_MAX_ELEMENTS} are allowed", "send fewer rows"
        )
    return count


def _from_bytes(tensor: AnyTensor, count: int, data: memoryview) -> Array:
    if tensor.datatype == "BYTES":
        return _strings(tensor, _split(tensor, data), count)
    dtype = DTYPES[tensor.datatype]
    if len(data) != count * dtype.itemsize:
        raise InputError(
            f"the input '{tensor.name}' has {len(data)} bytes, its shape {tensor.shape} of {tensor.datatype} "
            f"needs {count * dtype.itemsize}",
            "make shape and binary_data_size agree",
        )
    if tensor.datatype == "BOOL":
        return np.frombuffer(data, np.uint8).astype(np.bool_).reshape(tensor.shape)
    return np.frombuffer(data, dtype).reshape(tensor.shape)


def _split(tensor: AnyTensor, data: memoryview) -> list[bytes]:
    """Elements of four bytes of length (little-endian) and that many bytes."""
    found: list[bytes] = []
    place = 0
    while place < len(data):
        end = place + 4
        length = int.from_bytes(data[place:end], "little")
        if end + length > len(data):
            raise InputError(
                f"the input '{tensor.name}' is cut off in its element {len(found)}",
                "send length and bytes of each element",
            )
        found.append(bytes(data[end : end + length]))
        place = end + length
    return found


def _from_json(tensor: AnyTensor, count: int) -> Array:
    if tensor.data is msgspec.UNSET:
        raise InputError(f"the input '{tensor.name}' has no data", "send data, or binary_data_size and the bytes")
    if tensor.datatype == "BYTES":
        return _strings(tensor, [_base64(tensor, text) for text in _flat(tensor, (str,))], count)
    dtype = DTYPES[tensor.datatype]
    values = tensor.data if isinstance(tensor.data, list) else _flat(tensor, _TYPES[dtype.kind])
    if len(values) != count:
        raise _count_error(tensor, len(values), count)
    try:
        # JSON has no infinity; what would become one in a narrower type is refused.
        with np.errstate(over="raise"):
            array: NDArray[Any] = np.array(values, dtype)
    except (OverflowError, FloatingPointError, ValueError):
        raise _range_error(tensor) from None
    return array.reshape(tensor.shape)


def _flat(tensor: AnyTensor, kinds: tuple[type, ...]) -> list[Any]:
    """Nested or flat data as one list. Raises InputError for another kind of element."""
    try:
        level: list[Any] = msgspec.json.decode(tensor.data, type=list)  # type: ignore[arg-type] # it is set
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"the data of '{tensor.name}' is not valid: {error}", "send a list") from None
    for _ in tensor.shape:
        if not any(isinstance(value, list) for value in level):
            break
        if not all(isinstance(value, list) for value in level):
            raise InputError(f"the data of '{tensor.name}' is nested unevenly", "nest it as its shape, or not at all")
        level = [value for part in level for value in part]
    for value in level:
        if type(value) not in kinds:
            raise InputError(
                f"the data of '{tensor.name}' holds {reprlib.repr(value)}, which is not {tensor.datatype}",
                f"send {tensor.datatype} values, flat or nested as the shape",
            )
    return level


def _base64(tensor: AnyTensor, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InputError(
            f"the input '{tensor.name}' holds text that is not base64", "send files as base64 text"
        ) from None


def _strings(tensor: AnyTensor, elements: Sequence[bytes], count: int) -> Array:
    if len(elements) != count:
        raise _count_error(tensor, len(elements), count)
    array = np.empty(count, object)
    array[:] = elements
    return array.reshape(tensor.shape)


def _count_error(tensor: AnyTensor, given: int, wanted: int) -> InputError:
    return InputError(
        f"the input '{tensor.name}' has {given} elements, its shape {tensor.shape} needs {wanted}",
        "make shape and data agree",
    )


def _range_error(tensor: AnyTensor) -> InputError:
    return InputError(
        f"the input '{tensor.name}' holds numbers that do not fit {tensor.datatype}", "send another datatype"
    )


def render_response(
    head: dict[str, Any], outputs: Mapping[str, Array], binary: Mapping[str, bool]
) -> tuple[bytes, int | None]:
    """The body of an answer and the length of its JSON when binary tensors follow it."""
    described: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for name, values in outputs.items():
        tensor: dict[str, Any] = {"name": name, "datatype": datatype(values), "shape": list(values.shape)}
        if binary.get(name):
            parts.append(_to_bytes(values))
            tensor["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            tensor["data"] = _to_json(values)
        described.append(tensor)
    text = msgspec.json.encode({**head, "outputs": described})
    return (text + b"".join(parts), len(text)) if parts else (text, None)


def datatype(values: Array) -> str:
    """The protocol's name of an array's type."""
    return "BYTES" if values.dtype == object else _NAMES[values.dtype]


def _to_bytes(values: Array) -> bytes:
    if values.dtype == object:
        elements: list[bytes] = values.ravel().tolist()
        return b"".join(len(element).to_bytes(4, "little") + element for element in elements)
    return values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()


def _to_json(values: Array) -> list[Any]:
    flat: list[Any] = values.ravel().tolist()
    return [element.decode("utf-8", "replace") for element in flat] if values.dtype == object else flat
