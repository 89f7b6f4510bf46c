"""Counts to three."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from glassworks.contracts import Progress, Work
from glassworks.record import Record


class Counted(Record):
    """How far."""

    most: int = 3


class ToyWork(Work):
    """Counting."""

    name: ClassVar[str] = "toy_work"
    request: ClassVar[type[Record]] = Counted

    def about(self, request: Counted) -> str:
        return f"to {request.most}"

    def run(self, request: Counted, progress: Progress) -> Mapping[str, Any]:
        progress.start("count", request.most)
        for step in range(request.most):
            progress.update(step=step + 1)
        progress.finish("counted")
        return {"counted": request.most}
