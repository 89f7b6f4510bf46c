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
    told = [[json.loads(one) for one in each.ravel().tolist()] for each in (values, others)]
    return same_json(*told)


def same_json(one: object, other: object) -> bool:
    """The same, but for rounding of numbers."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(one[key], other[key]) for key in one)
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, rel=1e-4, abs=1e-5)
    return one == other
