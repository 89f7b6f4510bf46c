"""Rounds a threshold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Artifact, Opened, Pass, Precision

if TYPE_CHECKING:
    from glassworks.contracts import Tensors


class ToyPass(Pass):
    """A threshold of fewer digits."""

    name: ClassVar[str] = "toy_pass"
    accepts: ClassVar[frozenset[str]] = frozenset({"toy"})
    precision: ClassVar[Precision] = "bf16"
    exactness: ClassVar[int] = 8

    def apply(self, opened: Opened, calibration: Sequence[Tensors]) -> Artifact:
        threshold = json.loads(opened.path.read_text(encoding="utf-8"))["threshold"]
        (opened.folder / "rounded.json").write_text(json.dumps({"threshold": round(threshold, -3)}), encoding="utf-8")
        return opened.artifact.model_copy(update={"file": "rounded.json", "precision": self.precision})
