"""The edge folder runs alone, and answers and explains as the bundle does; its reader of pictures is Pillow's equal."""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from tests.patience import PATIENCE_S

from glassworks.catalog import get
from glassworks.config import DataConfig, Job, OptimizationConfig, TrainingConfig
from glassworks.contracts import Exporter, Family
from glassworks.data.pictures import decode_picture, fit_picture
from glassworks.errors import InputError, Unsupported
from glassworks.flow import Release, release
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.registry import Registry


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Release:
    folder = tmp_path_factory.mktemp("edge")
    tiny = get(Family, "convnet").tiny(folder)
    job = Job(
        name="bars",
        family="convnet",
        data=DataConfig(source=tiny.data.source),
        model={"novelty": 0.9},
        training=TrainingConfig(epochs=2, batch_size=32, precision="fp32"),
        optimization=OptimizationConfig(enabled=False),
    )
    return release(job, Registry.open({"GLASSWORKS_HOME": str(folder / "home")}), Silent())


@pytest.fixture(scope="module")
def folder(made: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("exported") / "edge"
    get(Exporter, "edge").export(made.bundle.folder, target)
    return target


@pytest.fixture(scope="module")
def program(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("edge_pictures", folder / "pictures.py")
    if spec is None or spec.loader is None:
        raise ImportError("pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(folder: Path, *arguments: str) -> Any:
    """The program as people start it, in a Python that finds neither Glassworks nor Pillow nor PyTorch."""
    guard = (
        "import sys, runpy\n"
        "class Guard:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('glassworks', 'PIL', 'torch', 'onnx', 'openvino', 'scipy'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Guard())\n"
        "sys.argv = sys.argv[1:]\n"
        "sys.path.insert(0, sys.argv[0].rpartition('/')[0])\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    command = [sys.executable, "-c", guard, str(folder / "run.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


def test_the_folder_predicts_and_explains_alone(made: Release, folder: Path, tmp_path: Path) -> None:
    opened, x = OpenedBundle(made.bundle), made.dataset.splits["test"].x[:1]
    Image.fromarray(x[0, :, :, 0]).save(tmp_path / "picture.png")
    done = run(folder, "predict", str(tmp_path / "picture.png"))
    assert done.returncode == 0, done.stderr
    (wanted,) = opened.task.answer(opened.predict(x), opened.manifest.labels)
    found = json.loads(done.stdout)
    assert found["label"] == wanted["label"]
    assert found["probability"] == pytest.approx(wanted["probability"], abs=1e-5)
    assert found["familiar"] is wanted["familiar"]
    assert found["novelty"] == pytest.approx(wanted["novelty"], abs=1e-3)
    done = run(folder, "explain", str(tmp_path / "picture.png"), str(tmp_path / "why.npy"))
    assert done.returncode == 0, done.stderr
    explanation = opened.explain(x, method="integrated_gradients")
    values = np.load(tmp_path / "why.npy")
    assert np.abs(values - explanation.attribution.values[0]).max() <= 1e-4
    assert np.abs(values).max() > 1e-2
    assert json.loads(done.stdout)["converged"]
    assert run(folder, "explain", str(tmp_path / "picture.png"), str(tmp_path / "why.pgm")).returncode == 0
    done = run(folder, "explain", str(tmp_path / "picture.png"), str(tmp_path / "why.png"))
    assert (done.returncode, "use .npy for the numbers" in done.stderr) == (2, True)
    assert not (tmp_path / "why.png").exists()
    with Image.open(tmp_path / "why.pgm") as drawn:
        assert drawn.size == x.shape[1:3]


def test_the_samples_get_their_answers_again_and_a_wrong_one_is_reported(folder: Path, tmp_path: Path) -> None:
    import shutil

    done = run(folder, "selftest")
    assert (done.returncode, json.loads(done.stdout)["samples"]) == (0, 3)
    other = shutil.copytree(folder, tmp_path / "other")
    samples = json.loads((other / "samples.json").read_text(encoding="utf-8"))
    samples[0]["outputs"][0]["data"][0] += 0.3
    (other / "samples.json").write_text(json.dumps(samples), encoding="utf-8")
    done = run(other, "selftest")
    assert done.returncode == 2
    assert "differs by 0.3" in done.stderr


def test_pixels_go_in_as_they_are(made: Release, folder: Path) -> None:
    opened, x = OpenedBundle(made.bundle), made.dataset.splits["test"].x[:5]
    session = onnxruntime.InferenceSession(folder / "pixels.onnx", providers=["CPUExecutionProvider"])
    scores, _ = session.run(None, {"pixels": x})
    assert np.abs(scores - opened.probabilities(x)).max() <= 1e-5


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "I;16"])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (61, 33)])
def test_png_is_read_and_fitted_as_the_server_does(
    mode: str, size: tuple[int, int], program: ModuleType, tmp_path: Path
) -> None:
    generator = np.random.default_rng(size[0])
    smooth = Image.fromarray(generator.integers(0, 256, (9, 9, 4)).astype(np.uint8)).resize(size)
    picture = smooth.convert("RGB" if mode == "I;16" else mode)
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(smooth.convert("L")).astype(np.uint16) * 257)
    picture.save(tmp_path / "picture.png")
    content = (tmp_path / "picture.png").read_bytes()
    try:
        found = program.read_picture(tmp_path / "picture.png")
    except program.Refused as error:  # a palette of few colors has fewer than 8 bits
        assert "fewer than 8 bits" in str(error)
        return
    for height, width, channels in ((16, 12, 1), (size[1], size[0], 3), (90, 10, 3)):
        wanted = fit_picture(decode_picture(content), height, width, channels)
        fitted = program.fit(found, height, width, channels)
        assert fitted.shape == wanted.shape
        assert np.abs(fitted.astype(int) - wanted.astype(int)).max() <= 1


def png(width: int, height: int) -> bytes:
    """A PNG whose head promises a size that its data does not have."""
    import struct
    import zlib

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 30))


def array(values: Any) -> bytes:
    """A .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("bomb.png", png(30_000, 30_000), "30000 x 30000 pixels"),
        ("short.png", png(9, 9), "damaged or cut short"),
        ("cut.pgm", b"P5 9 9 255\nabc", "cut short"),
        ("not.png", b"text", "pip install pillow"),
        ("words.pgm", b"P2 1 1 255 0", "pip install pillow"),
        ("deep.pgm", b"P5 1 1 4095\n\0\0", "pip install pillow"),
        ("cut.npy", array(np.zeros((9, 9), np.uint8))[:-5], "cut short"),
        ("head.npy", array(np.zeros((9, 9), np.uint8))[:9], "cut short"),
        (
            "promise.npy",
            array(np.zeros((9, 9), np.uint8)).replace(b"(9, 9), }        ", b"(99999, 99999), }"),
            "cut short",
        ),
        ("objects.npy", array(np.array([{}], object)), "holds objects"),
        ("floats.npy", array(np.zeros((9, 9))), "holds float64 (9, 9)"),
        ("none.png", None, "cannot read"),
    ],
)
def test_what_is_no_picture_is_refused(
    name: str, content: bytes | None, problem: str, folder: Path, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = run(folder, "predict", str(tmp_path / name))
    assert done.returncode == 2
    assert problem in done.stderr
    assert "Traceback" not in done.stderr


def test_an_export_over_itself_is_fine_and_over_others_not(made: Release, folder: Path, tmp_path: Path) -> None:
    get(Exporter, "edge").export(made.bundle.folder, folder)
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="not empty"):
        get(Exporter, "edge").export(made.bundle.folder, tmp_path)


def test_a_model_that_takes_no_pictures_is_refused(tmp_path: Path) -> None:
    from tests.unit.recommendation.shops import bundle

    with pytest.raises(Unsupported, match=r"label one picture; 'shop' takes .*, has 0 labels"):
        get(Exporter, "edge").export(bundle(tmp_path / "shop"), tmp_path / "out")


def test_a_pipeline_of_operators_is_refused(tmp_path: Path) -> None:
    registry = Registry.open({"GLASSWORKS_HOME": str(tmp_path / "home")})
    made = release(get(Family, "image_operators").tiny(tmp_path), registry, Silent())
    for form in ("edge", "onnx", "web"):
        with pytest.raises(
            Unsupported, match=r"label one picture; 'tiny-operators' takes image UINT8 .*, has 0 labels"
        ):
            get(Exporter, form).export(made.bundle.folder, tmp_path / "out")


def test_the_readme_names_what_it_needs(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "python run.py selftest" in text
    assert "只需 numpy" in text
    assert io.StringIO((folder / "requirements.txt").read_text(encoding="utf-8")).readline().startswith("numpy>=")
