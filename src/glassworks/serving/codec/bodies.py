"""How the body of an inference request is laid out: JSON, tensors behind it, or one tensor alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from glassworks.data.picture_kinds import HEAD, kind_of_file
from glassworks.errors import InputError
from glassworks.serving.codec.json_data import LARGE_BYTES
from glassworks.serving.codec.quick import QuickReader
from glassworks.serving.codec.tensors import DTYPES, AnyBody, InferBody, TensorLimits, parse_request
from glassworks.serving.codec.uploads import is_form, rows_of

if TYPE_CHECKING:
    from glassworks.contracts import Array, TensorSpec

HEADER = b"inference-header-content-length"
_QUICK_BYTES = 2**22
"""A larger body is read in parts: the quick reader holds the interpreter until it is done."""


class BodyReader:
    """Reads one body at a time; not safe to share between threads."""

    def __init__(self, limits: TensorLimits) -> None:
        self._limits, self._quick = limits, QuickReader(limits)

    def read(
        self, body: bytes | bytearray, headers: Mapping[bytes, bytes], inputs: Mapping[str, TensorSpec]
    ) -> tuple[AnyBody, dict[str, Array]]:
        """The JSON and the tensors, or the files of a form. `inputs` are the model's: a body without JSON, whose
        Inference-Header-Content-Length is 0 or that is a picture file, is the only one of them. Raises InputError."""
        length = headers.get(HEADER)
        if length is None:
            quick = self._quick.read(body) if len(body) <= _QUICK_BYTES else None
            if quick is None and is_form(headers):
                tensors, parameters = rows_of(headers[b"content-type"], body, inputs)
                return InferBody([], parameters=parameters), tensors
            if quick is None and kind_of_file(bytes(body[:HEAD])):  # no JSON begins so
                return _raw(body, inputs, self._limits, binary=False)
            return quick if quick is not None else parse_request(body, None, self._limits)
        if not length.isdigit() or len(length) > 12:
            raise InputError(
                f"Inference-Header-Content-Length is {length[:40].decode('latin-1')!r}, not a number",
                "give the length of the JSON",
            )
        size = int(length)
        return parse_request(body, size, self._limits) if size else _raw(body, inputs, self._limits)


def long_bytes(body: bytes | bytearray, length: bytes | None) -> int:
    """Bytes of a large body that takes long to read (JSON, texts, files); 0 for numbers in bytes."""
    if length is None:
        return len(body)
    if not length.isdigit():
        return 0
    size = int(length[:12])
    return len(body) if size > LARGE_BYTES or b'"BYTES"' in body[:size] else 0


def _raw(
    body: bytes | bytearray, inputs: Mapping[str, TensorSpec], limits: TensorLimits, binary: bool = True
) -> tuple[AnyBody, dict[str, Array]]:
    """The only input of the model, whose variable dimension follows from the size."""
    specs = tuple(inputs.values())
    if len(specs) == 1 and (specs[0].datatype == "BYTES" or kind_of_file(bytes(body[:HEAD]))):
        # The whole body is the one element; numbers that begin as a picture file does are none that a picture has.
        return _behind(specs[0].name, "BYTES", _one(specs[0]), len(body).to_bytes(4, "little") + body, limits, binary)
    if len(specs) != 1 or specs[0].shape.count(-1) > 1 or specs[0].datatype not in DTYPES:
        raise InputError(
            "a raw request needs a model of one input: texts, picture files, or numbers of at most one variable size",
            "send JSON before the tensors, and its length as Inference-Header-Content-Length",
        )
    fixed = math.prod(size for size in specs[0].shape if size != -1) * DTYPES[specs[0].datatype].itemsize
    shape = [len(body) // max(fixed, 1) if size == -1 else size for size in specs[0].shape]
    return _behind(specs[0].name, specs[0].datatype, shape, body, limits, binary)


def _one(spec: TensorSpec) -> list[int]:
    """The shape of one text, or of one file."""
    return [1] * len(spec.shape) if spec.datatype == "BYTES" else [1]


def _behind(
    name: str, datatype: str, shape: list[int], content: bytes | bytearray, limits: TensorLimits, binary: bool
) -> tuple[AnyBody, dict[str, Array]]:
    parameters = {"binary_data_size": len(content)}
    tensor = {"name": name, "datatype": datatype, "shape": shape, "parameters": parameters}
    head: dict[str, Any] = {"inputs": [tensor], "parameters": {"binary_data_output": binary}}
    text = msgspec.json.encode(head)
    return parse_request(text + content, len(text), limits)
