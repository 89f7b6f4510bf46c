"""A small real bundle for the tests of packaging."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from glassworks.contracts import Artifact, Measurement, Signature, TensorSpec
from glassworks.packaging.bundle import Bundle, write_bundle
from glassworks.packaging.manifest import Manifest

MakeBundle = Callable[..., Bundle]


@pytest.fixture
def manifest() -> Manifest:
    return Manifest(
        name="digits",
        task="image-classification",
        family="convnet",
        signature=Signature(
            inputs=(TensorSpec(name="image", datatype="FP32", shape=(-1, 1, 28, 28)),),
            outputs=(TensorSpec(name="probabilities", datatype="FP32", shape=(-1, 2)),),
        ),
        labels=("zero", "零"),
        preprocessing={"mean": [0.5], "scale": 255, "invert": False, "mode": "L"},
        artifacts=(Artifact(role="predict", format="onnx", file="model.onnx"),),
        metrics={"accuracy": Measurement(value=0.981, interval=(0.97, 0.99), examples=750)},
    )


@pytest.fixture
def make_bundle(tmp_path: Path, manifest: Manifest) -> MakeBundle:
    """Writes a bundle of the given files into a folder of that name."""

    def make(folder: str = "bundle", files: Mapping[str, bytes] | None = None) -> Bundle:
        for name, content in (files or {"model.onnx": b"graph", "parts/words.json": b"[]"}).items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return write_bundle(tmp_path / folder, manifest)

    return make
