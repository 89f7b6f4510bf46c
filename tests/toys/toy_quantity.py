"""Counts digits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from glassworks.contracts import Candidate, Load, Quantity


class ToyQuantity(Quantity):
    """How many digits its size has."""

    name: ClassVar[str] = "toy_quantity"
    unit: ClassVar[str] = "digits"
    units: ClassVar[Mapping[str, float]] = {"": 1.0}

    def of(self, candidate: Candidate, load: Load | None) -> float | None:
        return float(len(str(candidate.size_bytes)))
