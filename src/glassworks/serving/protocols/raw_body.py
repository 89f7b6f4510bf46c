"""How a body is laid out: JSON, tensors behind it, or a tensor alone, whose JSON follows from the model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from glassworks.errors import InputError
from glassworks.serving.codec.json_data import LARGE_BYTES
from glassworks.serving.codec.tensors import DTYPES, AnyBody, TensorLimits, parse_request

if TYPE_CHECKING:
    from glassworks.contracts import Array
    from glassworks.serving.core.model import LoadedModel
    from glassworks.serving.transports.http.exchange import Body, Exchange

HEADER = b"inference-header-content-length"


def raw_request(body: Body, model: LoadedModel, limits: TensorLimits) -> tuple[AnyBody, dict[str, Array]]:
    """A body without JSON: the only input of the model, whose variable dimension follows from the size."""
    specs = tuple(model.inputs.values())
    if len(specs) == 1 and specs[0].datatype == "BYTES":
        return _raw_text(body, specs[0].name, len(specs[0].shape), limits)
    if len(specs) != 1 or specs[0].shape.count(-1) > 1 or specs[0].datatype not in DTYPES:
        raise InputError(
            "a raw request needs a model of one input of numbers with at most one variable dimension",
            "send JSON before the tensors, and its length as Inference-Header-Content-Length",
        )
    fixed = math.prod(size for size in specs[0].shape if size != -1) * DTYPES[specs[0].datatype].itemsize
    tensor = {
        "name": specs[0].name,
        "datatype": specs[0].datatype,
        "shape": [len(body) // max(fixed, 1) if size == -1 else size for size in specs[0].shape],
        "parameters": {"binary_data_size": len(body)},
    }
    return _behind(tensor, body, limits)


def _raw_text(body: Body, name: str, dimensions: int, limits: TensorLimits) -> tuple[AnyBody, dict[str, Array]]:
    """The whole body is the one element."""
    content = len(body).to_bytes(4, "little") + body
    tensor = {
        "name": name,
        "datatype": "BYTES",
        "shape": [1] * dimensions,
        "parameters": {"binary_data_size": len(content)},
    }
    return _behind(tensor, content, limits)


def _behind(tensor: Mapping[str, Any], content: Body, limits: TensorLimits) -> tuple[AnyBody, dict[str, Array]]:
    head = msgspec.json.encode({"inputs": [tensor], "parameters": {"binary_data_output": True}})
    return parse_request(head + content, len(head), limits)


def is_long(exchange: Exchange) -> bool:
    """Whether a large body takes long to read: JSON, and texts or files; numbers in bytes are there at once."""
    length = header_length(exchange)
    if length is None or length > LARGE_BYTES:
        return True
    return length > 0 and b'"BYTES"' in exchange.content()[:length]


def header_length(exchange: Exchange) -> int | None:
    """How long the JSON is where tensors follow it; 0 without JSON. Raises InputError."""
    value = exchange.headers.get(HEADER)
    if value is None:
        return None
    if not value.isdigit() or len(value) > 12:
        raise InputError(
            f"Inference-Header-Content-Length is {value[:40].decode('latin-1')!r}, not a number",
            "give the length of the JSON",
        )
    return int(value)
