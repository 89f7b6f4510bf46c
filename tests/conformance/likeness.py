"""When two outputs are the same: numbers within rounding, and answers in JSON whose numbers are."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray


def alike(values: NDArray[Any], others: NDArray[Any], atol: float = 1e-5) -> bool:
    """Numbers within rounding; texts and answers in JSON too, of which other numbers may be written."""
    if values.dtype != object:
        return np.allclose(np.asarray(values), others, atol=atol)
    return same_json(*([_read(one) for one in each.ravel().tolist()] for each in (values, others)))


def _read(one: bytes | str) -> object:
    """An answer in JSON, or a text."""
    text = one.decode() if isinstance(one, bytes) else one
    try:
        return json.loads(text)
    except ValueError:
        return text


def same_json(one: object, other: object) -> bool:
    """The same, but for rounding of numbers."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(one[key], other[key]) for key in one)
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, rel=1e-4, abs=1e-5)
    return one == other
