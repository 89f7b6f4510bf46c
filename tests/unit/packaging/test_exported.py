"""What a trained model is kept as."""

from __future__ import annotations

import pytest

from glassworks.contracts import Artifact
from glassworks.packaging.exported import with_reference

EXPORTED = Artifact(role="predict", format="onnx", file="predict.onnx")
GRADIENT = Artifact(role="gradient", format="onnx", file="gradient.onnx", runtime="onnxruntime")


@pytest.mark.parametrize(("precision", "file"), [("bf16", "predict.onnx"), ("int8", "predict.int8.onnx")])
def test_what_is_not_served_in_fp32_keeps_the_fp32_graph(precision: str, file: str) -> None:
    served = EXPORTED.model_copy(update={"precision": precision, "file": file, "runtime": "openvino"})
    kept = {artifact.role: artifact for artifact in with_reference(served, EXPORTED, (GRADIENT,))}
    assert kept["predict"] == served
    assert kept["reference"].precision == "fp32"
    assert kept["reference"].file == "predict.onnx"
    assert kept["reference"].runtime
    assert kept["gradient"] == GRADIENT


def test_what_is_served_in_fp32_is_kept_once() -> None:
    served = EXPORTED.model_copy(update={"runtime": "openvino"})
    assert [artifact.role for artifact in with_reference(served, EXPORTED, (GRADIENT,))] == ["predict", "gradient"]
