"""Files that are sent as a form, as `curl -F file=@x.jpg` does: each is a row, and the other fields are parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from glassworks.errors import InputError
from glassworks.serving.codec.forms import Form

if TYPE_CHECKING:
    from glassworks.contracts import Array, TensorSpec

_TYPE = b"multipart/form-data"


def is_form(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a body is a form."""
    return headers.get(b"content-type", b"")[: len(_TYPE)].lower() == _TYPE


def only_file(content_type: bytes, body: bytes | bytearray) -> bytes:
    """The one file of a form. Raises InputError."""
    uploads = Form(content_type, body, repeated=True).uploads
    if len(uploads) != 1:
        raise InputError(f"the form has {len(uploads)} files", "send one: curl -F file=@picture.jpg")
    return uploads[0][1].content


def rows_of(
    content_type: bytes, body: bytes | bytearray, inputs: Mapping[str, TensorSpec]
) -> tuple[dict[str, Array], dict[str, Any]]:
    """The inputs, one row a file in their order, and the parameters. A field with the name of an input that takes texts
    is a row of it. Raises InputError."""
    form = Form(content_type, body, repeated=True)
    rows: dict[str, list[bytes | str]] = {}
    for name, upload in form.uploads:
        rows.setdefault(_input(name, inputs), []).append(upload.content)
    parameters: dict[str, Any] = {}
    for name, value in form.fields.items():
        if name in inputs and name not in rows:
            rows[name] = [value]
        else:
            parameters[name] = _value(value)
    if not rows:
        raise InputError("the form has no file", "send one a row: curl -F file=@picture.jpg")
    return {name: _array(values) for name, values in rows.items()}, parameters


def _input(field: str, inputs: Mapping[str, TensorSpec]) -> str:
    """The only input of a model, whatever its field is called; else the one that is named."""
    if field in inputs:
        return field
    if len(inputs) == 1:
        return next(iter(inputs))
    raise InputError(f"the model has no input '{field[:100]}'", f"name a file as one of: {', '.join(inputs)}")


def _array(values: list[bytes | str]) -> Array:
    array = np.empty(len(values), object)
    array[:] = values
    return array


def _value(text: str) -> Any:
    """A number, true or false as JSON writes them; else the text itself."""
    try:
        return msgspec.json.decode(text, type=int | float | bool)
    except msgspec.DecodeError:
        return text
