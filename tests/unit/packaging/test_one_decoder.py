"""A picture file has the same pixels wherever a model sees it, or it is refused: in training, in the server, the edge
folder, the program of the ONNX export and the browser."""

from __future__ import annotations

import base64
import importlib.util
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.kinds_of_pictures import LOSSY, kinds
from tests.patience import PATIENCE_S
from tests.unit.packaging.linear import linear_graph

from glassworks.catalog import get
from glassworks.contracts import Artifact, Exporter, Signature, TensorSpec
from glassworks.data.reader import Reading, read_pictures
from glassworks.errors import InputError, MissingLibrary
from glassworks.packaging.bundle import Bundle, write_bundle
from glassworks.packaging.manifest import Manifest
from glassworks.tasks.image_classification import ImageClassification

HEIGHT, WIDTH = 24, 20
KINDS = kinds()
REFUSED = {"cut.jpg", "cut.png", "empty.png", "page.jpg", "pointer.png", "float.tif"}
NOT_SAID = {"gray-12.png", "gray-12.tif", "color-12.png", "gray-14.png"}
"""Nobody says how many bits they use."""
CHROMIUM = shutil.which("chromium")
Pixels = NDArray[np.uint8]


def preprocessing(channels: int, bits: int) -> dict[str, Any]:
    return {"height": HEIGHT, "width": WIDTH, "channels": channels, **({"bits": bits} if bits else {})}


def served(name: str, channels: int = 3, bits: int = 0) -> Pixels | None:
    """None where it is refused."""
    try:
        return ImageClassification().decode(KINDS[name], preprocessing(channels, bits))
    except InputError:
        return None


def bundle(folder: Path, manifest: Manifest, channels: int = 3, bits: int = 0) -> Bundle:
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(linear_graph(channels, HEIGHT, WIDTH))
    image = TensorSpec(name="image", datatype="FP32", shape=(-1, channels, HEIGHT, WIDTH))
    return write_bundle(
        folder,
        manifest.model_copy(
            update={
                "signature": Signature(inputs=(image,), outputs=manifest.signature.outputs),
                "labels": ("a", "b", "c"),
                "preprocessing": preprocessing(channels, bits),
                "artifacts": (Artifact(role="predict", format="onnx", file="model.onnx"),),
            }
        ),
    )


def test_the_server_reads_what_it_should() -> None:
    assert {name for name in KINDS if served(name) is None} == REFUSED | NOT_SAID
    assert {name for name in KINDS if served(name, bits=12) is None} >= REFUSED
    assert len(KINDS) >= 60


def test_most_kinds_are_the_same_picture() -> None:
    wanted = {"color": served("plain.png"), "gray": served("gray.png")}
    for name in KINDS:
        found = served(name, bits=12 if "-12" in name else 14 if "-14" in name else 0)
        if found is None or any(
            each in name for each in ("clear", "bilevel", "fax", "two-bits", "words", "one", "wide")
        ):
            continue
        if "alpha" in name and "16" not in name:
            continue
        like = wanted["gray" if "gray" in name or "zero" in name or name == "pages.tif" else "color"]
        assert like is not None
        lossy = name.endswith(LOSSY) or name in ("jpeg-inside.png", "jpeg.tif", "ycbcr.tif", "cmyk.tif")
        far = np.abs(found.astype(int) - like).mean()
        assert far <= (12 if lossy else 0.5), name


@pytest.mark.parametrize("bits", [0, 12])
def test_training_sees_what_the_server_sees(bits: int, tmp_path: Path) -> None:
    from glassworks.data.dataset import labelled_split

    good = [name for name in KINDS if served(name, bits=bits) is not None]
    for number, name in enumerate(good):
        (tmp_path / "ab"[number % 2]).mkdir(exist_ok=True)
        (tmp_path / "ab"[number % 2] / name).write_bytes(KINDS[name])
    how = preprocessing(3, bits)
    found = read_pictures(f"folder:{tmp_path}", Reading.of_model(how))
    assert {Path(name).name for name in found.names} == set(good)
    seen = labelled_split(found, how, ("a", "b")).x
    for name, pixels in zip(found.names, seen, strict=True):
        wanted = served(Path(name).name, bits=bits)
        assert wanted is not None
        assert np.array_equal(pixels, wanted), name


@pytest.fixture(params=[(3, 0), (1, 0), (3, 12)], ids=["color", "gray", "12 bits"])
def way(request: pytest.FixtureRequest) -> tuple[int, int]:
    """Channels and bits of a model."""
    found: tuple[int, int] = request.param
    return found


def loaded(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A program of an exported folder, with those beside it."""
    monkeypatch.syspath_prepend(str(folder))
    for each in ("pictures", "decoder", "bit_depth"):
        monkeypatch.delitem(sys.modules, each, raising=False)
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("pillow", [True, False], ids=["with Pillow", "without"])
def test_the_edge_folder(
    way: tuple[int, int], pillow: bool, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channels, bits = way
    get(Exporter, "edge").export(bundle(tmp_path / "bundle", manifest, channels, bits).folder, tmp_path / "edge")
    program = loaded(tmp_path / "edge", "pictures", monkeypatch)
    if not pillow:
        monkeypatch.setitem(sys.modules, "decoder", None)
    answered = set()
    for name, content in KINDS.items():
        (tmp_path / name).write_bytes(content)
        wanted = served(name, channels, bits)
        try:
            found = program.fit(program.read_picture(tmp_path / name, bits), HEIGHT, WIDTH, channels)
        except program.Refused as error:
            assert wanted is None or (not pillow and "pip install pillow" in str(error)), name
            continue
        assert wanted is not None, name
        assert np.abs(found.astype(int) - wanted).max() <= (0 if pillow else 1), name
        answered.add(name)
    assert pillow or answered >= {"plain.png", "half-clear.png", "turned-6.png", "plain.ppm"}


def test_the_program_of_the_onnx_page(
    way: tuple[int, int], manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channels, bits = way
    get(Exporter, "onnx").export(bundle(tmp_path / "bundle", manifest, channels, bits).folder, tmp_path / "onnx")
    text = (tmp_path / "onnx" / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)\nsession", text, re.DOTALL)
    decoder = loaded(tmp_path / "onnx", "decoder", monkeypatch)
    monkeypatch.setitem(sys.modules, "decoder", decoder)
    monkeypatch.chdir(tmp_path / "onnx")
    for name, content in KINDS.items():
        Path("picture.png").write_bytes(content)
        wanted, there = served(name, channels, bits), dict[str, Any]()
        try:
            exec(block, there)
        except decoder.Undecodable:
            assert wanted is None, name
            continue
        assert wanted is not None, name
        assert np.array_equal(there["batch"], ImageClassification().encode(wanted[None], {})["image"]), name


@pytest.fixture
def ask(way: tuple[int, int], manifest: Manifest, tmp_path: Path) -> Iterator[Callable[[bytes], Any]]:
    """What the exported page sees of a file, H W C; a text where it refuses it."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    try:
        get(Exporter, "web").export(bundle(tmp_path / "bundle", manifest, *way).folder, tmp_path / "web")
    except MissingLibrary as error:
        pytest.skip(str(error))  # no npm, or no network
    program = """async (text) => {
      const blob = new Blob([Uint8Array.from(atob(text), (each) => each.charCodeAt(0))]);
      try { return Array.from((await window.glassworks.see(blob)).data); }
      catch (error) { return String(error.message ?? error); }
    }"""
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(offline=True).new_page()
        page.set_default_timeout(1000 * PATIENCE_S)
        page.goto((tmp_path / "web" / "index.html").as_uri())
        yield lambda content: page.evaluate(program, base64.b64encode(content).decode())
        browser.close()


def test_the_browser(way: tuple[int, int], ask: Callable[[bytes], Any]) -> None:
    channels, bits = way
    wrong, answered = {}, set()
    for name, content in KINDS.items():
        found, wanted = ask(content), served(name, channels, bits)
        if isinstance(found, str):
            continue  # refused: no answer is better than another one
        answered.add(name)
        far = np.inf if wanted is None else np.abs(np.array(found).reshape(HEIGHT, WIDTH, channels) - wanted).max()
        if far > (6 if name.endswith(LOSSY) or name == "jpeg-inside.png" else 1):
            wrong[name] = far
    assert wrong == {}
    assert answered >= {"plain.png", "plain.jpg", "progressive.jpg", "turned-6.jpg", "turned-6.webp", "plain.webp"}
    assert ("gray-16.png" in answered) is (bits == 0)
