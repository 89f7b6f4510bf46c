"""Runs models that are a threshold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Device, Opened, Precision, Runtime, Session, Signature, TensorSpec

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors

SIGNATURE = Signature(
    inputs=(TensorSpec(name="numbers", datatype="FP32", shape=(-1, 1, 4)),),
    outputs=(TensorSpec(name="scores", datatype="FP32", shape=(-1, 2)),),
)


class ToyRuntime(Runtime):
    """Compares the mean of the numbers with a threshold."""

    name: ClassVar[str] = "toy_runtime"
    accepts: ClassVar[frozenset[str]] = frozenset({"toy"})
    precisions: ClassVar[Mapping[Precision, str]] = {"fp32": "", "bf16": "", "int8": "it has no integers"}

    def open(self, opened: Opened, device: Device = "cpu") -> Session:
        return _Threshold(float(json.loads(opened.path.read_text(encoding="utf-8"))["threshold"]))


class _Threshold(Session):
    signature = SIGNATURE

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        import numpy as np

        above = np.asarray(tensors["numbers"], np.float32).mean(axis=(1, 2)) / self._threshold - 1
        high = 1 / (1 + np.exp(-above))
        return {"scores": np.stack([high, 1 - high], axis=1).astype(np.float32)}
