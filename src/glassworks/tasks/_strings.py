"""Inputs that are text: stored as an object array of str, sent as UTF-8."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from glassworks.data.encodings import decode
from glassworks.errors import DataError, InputError

if TYPE_CHECKING:
    from glassworks.contracts import Array


def decoded(value: bytes, what: str, mend: str) -> Array:
    """An array without dimensions, in UTF-8 or the encoding that is recognized. Raises InputError, which names `what`,
    where it is in doubt."""
    try:
        text = value.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = decode(value, f"the {what}").text
        except DataError as error:
            raise InputError(error.problem, mend) from None
    return np.array(text, object)


def encoded(x: Array) -> Array:
    """Bytes of UTF-8 (N), as the protocol has them."""
    found = np.empty(len(x), object)
    found[:] = [text.encode("utf-8", "replace") for text in x.tolist()]
    return found
