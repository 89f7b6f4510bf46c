"""A language model computed in bfloat16 by vLLM: what GPUs are quick at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Artifact, Opened, Pass, Precision

if TYPE_CHECKING:
    from glassworks.contracts import Tensors


class Bf16Safetensors(Pass):
    """The same files: the engine rounds weights and keeps keys and values in bfloat16. Answers may then depend on what
    else is computed with them.
    """

    name: ClassVar[str] = "bf16_safetensors"
    accepts: ClassVar[frozenset[str]] = frozenset({"safetensors"})
    precision: ClassVar[Precision] = "bf16"
    exactness: ClassVar[int] = 8

    def apply(self, opened: Opened, calibration: Sequence[Tensors]) -> Artifact:
        return opened.artifact.model_copy(update={"precision": self.precision, "made_by": self.name})
