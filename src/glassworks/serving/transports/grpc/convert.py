"""Between the protocol's messages and tensors."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.errors import InputError
from glassworks.serving.codec.tensors import DTYPES, TensorLimits, datatype, elements, from_bytes, to_bytes
from glassworks.serving.transports.grpc.messages import message

if TYPE_CHECKING:
    from glassworks.contracts import Array

_CONTENTS = {
    "BOOL": "bool_contents", "INT64": "int64_contents", "UINT64": "uint64_contents", "FP32": "fp32_contents",
    "FP64": "fp64_contents", "BYTES": "bytes_contents",
    **{f"INT{bits}": "int_contents" for bits in (8, 16, 32)},
    **{f"UINT{bits}": "uint_contents" for bits in (8, 16, 32)},
}  # fmt: skip
_AT_ONCE = 2**16
"""Numbers that become an array in one go: nothing else runs in the process meanwhile."""
_LAYOUTS = 256
"""Beginnings of answers that are remembered."""
_BINARY = ("binary_data", "binary_data_output", "binary_data_size")
"""Parameters of the binary extension of HTTP, which clients send here too and which mean nothing here."""


def read_parameters(sent: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as plain values."""
    return {
        name: getattr(value, value.WhichOneof("parameter_choice") or "string_param")
        for name, value in sent.items()
        if name not in _BINARY
    }


def write_parameters(target: Any, parameters: Mapping[str, Any]) -> None:
    """Plain values into a message's parameters."""
    for name, value in parameters.items():
        if isinstance(value, bool):
            target[name].bool_param = value
        elif isinstance(value, int):
            target[name].int64_param = value
        elif isinstance(value, float):
            target[name].double_param = value
        else:
            target[name].string_param = str(value)


def read_tensors(request: Any, limits: TensorLimits) -> dict[str, Array]:
    """The inputs of a ModelInferRequest; raw ones are views of its bytes. Raises InputError."""
    inputs, raw = request.inputs, request.raw_input_contents
    if not inputs:
        raise InputError("the request has no inputs", "send the model's inputs")
    if raw and len(raw) != len(inputs):
        raise InputError(f"{len(inputs)} inputs came with {len(raw)} raw contents", "send as many of both")
    tensors: dict[str, Array] = {}
    for index, tensor in enumerate(inputs):
        # Each look at a field makes an object of it.
        name, kind, shape = tensor.name, tensor.datatype, tensor.shape[:]
        if name in tensors:
            raise InputError(f"the input '{name}' is given twice", "give each input once")
        count = elements(name, kind, shape, limits)
        if not raw:
            tensors[name] = _from_contents(tensor, shape, count)
            continue
        if tensor.HasField("contents"):
            raise InputError(f"the input '{name}' has both raw and typed contents", "send one of them")
        tensors[name] = from_bytes(name, kind, shape, count, raw[index])
    return tensors


def _from_contents(tensor: Any, shape: Sequence[int], count: int) -> Array:
    field = _CONTENTS.get(tensor.datatype)
    if field is None:
        raise InputError(f"{tensor.datatype} has no typed contents", "send raw_input_contents")
    values = getattr(tensor.contents, field)
    if len(values) != count:
        raise InputError(
            f"the input '{tensor.name}' has {len(values)} elements in {field}, its shape {list(shape)} needs {count}",
            "make shape and contents agree",
        )
    if tensor.datatype == "BYTES":
        array = np.empty(count, object)
        array[:] = list(values)
        return array.reshape(shape)
    try:
        dtype = DTYPES[tensor.datatype]
        if count <= _AT_ONCE:
            return np.array(values, dtype).reshape(shape)
        parts = [np.array(values[begin : begin + _AT_ONCE], dtype) for begin in range(0, count, _AT_ONCE)]
        return np.concatenate(parts).reshape(shape)
    except OverflowError:
        raise InputError(
            f"the input '{tensor.name}' holds numbers that do not fit {tensor.datatype}", "send another datatype"
        ) from None


def write_response(head: Mapping[str, str], outputs: Mapping[str, Array], raw: bool) -> Any:
    """A ModelInferResponse; contents are raw where the request's were."""
    layout = tuple([(name, datatype(values), values.shape) for name, values in outputs.items()])
    begin = _described(head["model_name"], head.get("model_version", ""), layout)
    response = message("ModelInferResponse").FromString(begin)
    response.id = head.get("id", "")
    # Datatypes without typed contents can only go raw, and then all must.
    raw = raw or any(kind not in _CONTENTS for _, kind, _ in layout)
    for index, values in enumerate(outputs.values()):
        if raw:
            response.raw_output_contents.append(to_bytes(values))
        else:
            contents: Iterable[Any] = values.ravel().tolist()
            getattr(response.outputs[index].contents, _CONTENTS[layout[index][1]]).extend(contents)
    return response


@functools.lru_cache(_LAYOUTS)
def _described(name: str, version: str, layout: tuple[tuple[str, str, tuple[int, ...]], ...]) -> bytes:
    """The beginning of an answer, which is the same for all requests of the same shapes."""
    response = message("ModelInferResponse")(model_name=name, model_version=version)
    for output, kind, shape in layout:
        response.outputs.add(name=output, datatype=kind, shape=shape)
    return bytes(response.SerializeToString())
