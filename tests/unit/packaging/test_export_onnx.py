"""What is exported runs without Glassworks and answers as the graph in the bundle does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image
from tests.unit.packaging.linear import linear_graph

from glassworks import catalog
from glassworks.contracts import Artifact, Exporter, Signature, TensorSpec
from glassworks.errors import InputError, Tampered, Unsupported
from glassworks.packaging.bundle import Bundle, write_bundle
from glassworks.packaging.manifest import Manifest

LABELS = ("cat", "dog", "鸟")
MakePictures = Callable[..., Bundle]


@pytest.fixture
def make_pictures(tmp_path: Path, manifest: Manifest) -> MakePictures:
    def make(channels: int = 3, **changes: object) -> Bundle:
        folder = tmp_path / "bundle"
        folder.mkdir()
        (folder / "model.onnx").write_bytes(linear_graph(channels, 6, 5, seed=1))
        (folder / "int8.onnx").write_bytes(linear_graph(channels, 6, 5, seed=2))
        image = TensorSpec(name="image", datatype="FP32", shape=(-1, channels, 6, 5))
        changes = {
            "signature": Signature(inputs=(image,), outputs=manifest.signature.outputs),
            "labels": LABELS,
            "preprocessing": {"height": 6, "width": 5, "channels": channels},
            **changes,
        }
        return write_bundle(folder, manifest.model_copy(update=changes))

    return make


def _export(bundle: Bundle, folder: Path) -> tuple[Path, ...]:
    return catalog.get(Exporter, "onnx").export(bundle.folder, folder)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_block_of_the_readme_answers_as_the_graph_does(
    make_pictures: MakePictures, tmp_path: Path, channels: int
) -> None:
    bundle, target = make_pictures(channels), tmp_path / "exported"
    written = _export(bundle, target)
    assert sorted(path.name for path in written) == [
        *("README.md", "bit_depth.py", "decoder.py", "export.json", "labels.json", "model.onnx")
    ]
    assert all(path.is_file() for path in written)
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 256, (6, 5, channels), dtype=np.uint8)
    Image.fromarray(pixels.squeeze()).save(target / "picture.png")
    (block,) = re.findall(r"```python\n(.*?)```", (target / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", block], cwd=target, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    label, score = done.stdout.split()
    batch = (pixels / 255).astype(np.float32).transpose(2, 0, 1)[None]
    session = onnxruntime.InferenceSession(bundle.folder / "model.onnx", providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"image": batch})
    assert label == LABELS[int(expected.argmax())]
    assert float(score) == pytest.approx(float(expected.max()), abs=1e-6)
    onnx.checker.check_model(target / "model.onnx")


def test_the_fp32_reference_is_exported_and_not_the_served_graph(make_pictures: MakePictures, tmp_path: Path) -> None:
    artifacts = (
        Artifact(role="predict", format="onnx", file="int8.onnx", precision="int8"),
        Artifact(role="reference", format="onnx", file="model.onnx"),
    )
    bundle = make_pictures(artifacts=artifacts)
    _export(bundle, tmp_path / "exported")
    assert (tmp_path / "exported/model.onnx").read_bytes() == (bundle.folder / "model.onnx").read_bytes()
    assert json.loads((tmp_path / "exported/export.json").read_text()) == {
        "exporter": "onnx",
        "model": "digits",
        "bundle_sha256": bundle.sha256,
    }


def test_a_model_without_an_fp32_onnx_graph_is_refused(make_pictures: MakePictures, tmp_path: Path) -> None:
    bundle = make_pictures(
        artifacts=(Artifact(role="predict", format="onnx", file="int8.onnx", precision="int8"),),
    )
    with pytest.raises(Unsupported, match=r"no fp32 ONNX graph; it holds: predict \(onnx, int8\)\nmend: package the"):
        _export(bundle, tmp_path / "exported")
    assert not (tmp_path / "exported").exists()


def test_a_model_over_something_else_is_refused(make_pictures: MakePictures, tmp_path: Path) -> None:
    text = TensorSpec(name="text", datatype="INT64", shape=(-1, 128))
    bundle = make_pictures(signature=Signature(inputs=(text,), outputs=()), preprocessing={})
    with pytest.raises(
        Unsupported, match=r"label one picture; 'digits' takes text INT64 \[-1, 128\], has 3 labels\nmend: serve"
    ):
        _export(bundle, tmp_path / "exported")


def test_preprocessing_that_the_page_does_not_follow_is_refused(make_pictures: MakePictures, tmp_path: Path) -> None:
    bundle = make_pictures(preprocessing={"height": 6, "width": 5, "channels": 3, "mean": [0.5]})
    with pytest.raises(Unsupported, match=r"cannot write down the preprocessing of 'digits': mean\nmend: serve the"):
        _export(bundle, tmp_path / "exported")


def test_a_folder_of_others_is_refused_and_its_own_is_written_again(
    make_pictures: MakePictures, tmp_path: Path
) -> None:
    bundle, target = make_pictures(), tmp_path / "exported"
    target.mkdir()
    _export(bundle, target)
    (target / "labels.json").unlink()
    _export(bundle, target)
    assert json.loads((target / "labels.json").read_text(encoding="utf-8")) == list(LABELS)
    (target / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"is not empty: it holds thesis.txt, which no export wrote\nmend: give a new"):
        _export(bundle, target)
    (target / "thesis.txt").unlink()
    (target / "export.json").unlink()
    with pytest.raises(
        InputError, match=r"it holds README.md, bit_depth.py, decoder.py, labels.json, model.onnx, which no export"
    ):
        _export(bundle, target)
    with pytest.raises(InputError, match="is a file"):
        _export(bundle, target / "README.md")


def test_a_bundle_that_was_tampered_with_is_not_exported(make_pictures: MakePictures, tmp_path: Path) -> None:
    bundle = make_pictures()
    (bundle.folder / "model.onnx").write_bytes(b"other")
    with pytest.raises(Tampered):
        _export(bundle, tmp_path / "exported")
