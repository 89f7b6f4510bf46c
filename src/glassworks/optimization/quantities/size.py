"""Bytes on disk."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from glassworks.contracts import Candidate, Load, Quantity, Task


class Size(Quantity):
    """Bytes of all files that a model is served from."""

    name: ClassVar[str] = "size"
    unit: ClassVar[str] = "bytes"
    units: ClassVar[Mapping[str, float]] = MappingProxyType(
        {"": 1.0, "B": 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9}
    )
    exact: ClassVar[bool] = True

    def fits(self, task: type[Task]) -> bool:
        """Every model has files."""
        return True

    def of(self, candidate: Candidate, load: Load | None) -> float | None:
        return float(candidate.size_bytes)
