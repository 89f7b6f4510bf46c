"""bfloat16 arithmetic: the graph stays, the engine rounds while it computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Artifact, Opened, Pass, Precision

if TYPE_CHECKING:
    from glassworks.contracts import Tensors


class Bfloat16(Pass):
    """Marks the artifact so that runtimes compute it in bfloat16; same file, no calibration."""

    name: ClassVar[str] = "bf16"
    accepts: ClassVar[frozenset[str]] = frozenset({"onnx", "openvino"})
    precision: ClassVar[Precision] = "bf16"
    exactness: ClassVar[int] = 8

    def apply(self, opened: Opened, calibration: Sequence[Tensors]) -> Artifact:
        return opened.artifact.model_copy(update={"precision": "bf16", "made_by": self.name})
