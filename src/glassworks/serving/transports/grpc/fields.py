"""How many fields a message has, counted before it is read: one of two bytes becomes some hundred in memory."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from glassworks.errors import InputError
from glassworks.serving.transports.grpc.messages import message, pool

_SMALL_BYTES = 2**16
"""Smaller messages are read as they are: they cannot become large."""
_MOST = 2**15
_VARINTS_BYTES = 2**24
"""Of numbers of variable length, which grow to eight times their size."""
_SIZES = {1: 8, 5: 4}
"""Bytes of a field by its wire type."""
_VARINTS = (1, 2, 3, 4, 7)
"""What protobuf calls CPPTYPE_INT32, INT64, UINT32, UINT64 and BOOL."""
_Schema = Mapping[int, "str | bool"]
"""By number: the full name of a field that is a message; of others whether it may hold packed integers."""


def read_infer_request(content: bytes) -> Any:
    """A ModelInferRequest. Raises DecodeError; InputError for one that would take far more memory than it has bytes."""
    if len(content) > _SMALL_BYTES:
        _check(content)
    return message("ModelInferRequest").FromString(content)


@functools.cache
def _schema(name: str) -> _Schema:
    found: dict[int, str | bool] = {}
    for field in pool().FindMessageTypeByName(name).fields:
        inner = field.message_type
        found[field.number] = inner.full_name if inner is not None else field.cpp_type in _VARINTS
    return found


def _check(content: bytes) -> None:
    """Walk over the fields, those of inner messages too; what is no message stops it; reading it raises the error."""
    count = varints = 0
    parts = [(0, len(content), _schema("inference.ModelInferRequest"))]
    while parts:
        position, end, schema = parts.pop()
        while position < end:
            count += 1
            tag = content[position]  # nearly always one byte
            tag, position = (tag, position + 1) if tag < 0x80 else _number(content, position)
            kind = tag & 7
            if kind == 0:
                _, position = _number(content, position)
            elif kind == 2:
                size, position = _number(content, position)
                inner = schema.get(tag >> 3, False)
                if inner and size and isinstance(inner, str):
                    parts.append((position, min(position + size, end), _schema(inner)))
                elif inner is True:
                    varints += size
                position += size
            elif kind in _SIZES:
                position += _SIZES[kind]
            else:
                return
            if count > _MOST or varints > _VARINTS_BYTES:
                raise InputError(
                    f"the message has more than {_MOST} fields, or more than {_VARINTS_BYTES} bytes of typed integers",
                    "send raw_input_contents",
                )


def _number(content: bytes, position: int) -> tuple[int, int]:
    """A number of variable length, and the position behind it; 0 at the end."""
    found = shift = 0
    while position < len(content) and shift < 70:
        byte = content[position]
        position += 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return found, position
        shift += 7
    return found, len(content)
