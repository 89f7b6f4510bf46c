"""Inputs that are text: stored as an object array of str, sent as UTF-8."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from glassworks.errors import InputError

if TYPE_CHECKING:
    from glassworks.contracts import Array


def decoded(value: bytes, what: str, mend: str) -> Array:
    """An array without dimensions. Raises InputError, which names `what`, unless it is UTF-8."""
    try:
        return np.array(value.decode("utf-8-sig"), object)
    except UnicodeDecodeError as error:
        raise InputError(f"the {what} is not valid UTF-8: byte {error.start}", mend) from None


def encoded(x: Array) -> Array:
    """Bytes of UTF-8 (N), as the protocol has them."""
    found = np.empty(len(x), object)
    found[:] = [text.encode("utf-8", "replace") for text in x.tolist()]
    return found
