"""The exported page in a real browser with no network: the server's classes, and its heat maps."""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.patience import PATIENCE_S

from glassworks.catalog import get
from glassworks.config import Job, OptimizationConfig
from glassworks.contracts import Exporter, Family
from glassworks.errors import MissingLibrary
from glassworks.flow import Release, release
from glassworks.packaging.exporters.web import _BINARY, _PROGRAM, RUNTIME
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.registry import Registry

PICTURES = 20
CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Release:
    folder = tmp_path_factory.mktemp("web")
    job: Job = get(Family, "convnet").tiny(folder)
    job = job.model_copy(update={"model": {"novelty": 0.9}, "optimization": OptimizationConfig(enabled=False)})
    return release(job, Registry.open({"GLASSWORKS_HOME": str(folder / "home")}), Silent())


@pytest.fixture(scope="module")
def folder(made: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported page; its engine comes from npm."""
    target = tmp_path_factory.mktemp("exported") / "web"
    try:
        get(Exporter, "web").export(made.bundle.folder, target)
    except MissingLibrary as error:
        pytest.skip(str(error))  # no npm, or no network
    return target


@pytest.fixture
def page(folder: Path) -> Iterator[Any]:
    """The page in Chromium, opened as a file."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = browser.new_context(offline=True, locale="zh-CN")
        found, problems = context.new_page(), list[str]()
        found.set_default_timeout(1000 * PATIENCE_S)
        found.on("pageerror", lambda error: problems.append(str(error)))
        found.goto((folder / "index.html").as_uri())
        yield found
        browser.close()
        assert problems == []


def png(x: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(x[:, :, 0]).save(buffer, "PNG")
    return buffer.getvalue()


ASK = """async (text) => {
  const blob = new Blob([Uint8Array.from(atob(text), (each) => each.charCodeAt(0))], { type: "image/png" });
  const answer = await window.glassworks.ask(blob);
  const { scores, label, why, novelty } = answer;
  return { scores, label, values: Array.from(why.values), gap: why.gap, novelty: [novelty.energy, novelty.distance] };
}"""


def test_the_page_answers_and_explains_as_the_bundle_does(made: Release, page: Any) -> None:
    opened = OpenedBundle(made.bundle)
    for x in made.dataset.splits["test"].x[:PICTURES]:
        found = page.evaluate(ASK, base64.b64encode(png(x)).decode())
        explanation = opened.explain(x[None], method="integrated_gradients", grade=False)
        assert found["label"] == explanation.label
        assert np.abs(np.array(found["scores"]) - opened.probabilities(x[None])[0]).max() <= 1e-4
        np.testing.assert_allclose(found["novelty"], np.asarray(opened.predict(x[None])["novelty"])[0], atol=1e-3)
        assert found["gap"] <= 0.01
        values = explanation.attribution.values.ravel()
        assert np.abs(np.array(found["values"]) - values).max() <= 1e-3
        assert np.abs(values).max() > 0.01


def test_people_see_the_answer_in_their_language(made: Release, page: Any, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    assert page.locator("label.drop").inner_text() == "选择一张图片，或拖到这里"
    (tmp_path / "picture.png").write_bytes(png(made.dataset.splits["test"].x[0]))
    page.set_input_files("#file", str(tmp_path / "picture.png"))
    page.wait_for_selector("#answer:not([hidden])")
    assert page.locator("#top tr").count() == min(5, len(made.dataset.classes))
    assert "为什么是" in page.locator("#caption").inner_text()
    (tmp_path / "strange.png").write_bytes(png(255 - made.dataset.splits["test"].x[0]))
    page.set_input_files("#file", str(tmp_path / "strange.png"))
    expect(page.locator("#strange")).not_to_be_empty(timeout=1000 * PATIENCE_S)
    assert "与模型学过的图片不同" in page.locator("#strange").inner_text()
    (tmp_path / "broken.png").write_bytes(b"no picture")
    page.set_input_files("#file", str(tmp_path / "broken.png"))
    expect(page.locator("#problem")).not_to_be_empty(timeout=1000 * PATIENCE_S)
    assert "浏览器无法读取" in page.locator("#problem").inner_text()
    assert page.locator("#answer").is_hidden()  # it would look like the answer to this one
    (tmp_path / "black.png").write_bytes(png(np.zeros_like(made.dataset.splits["test"].x[0])))
    page.set_input_files("#file", str(tmp_path / "black.png"))
    page.wait_for_selector("#answer:not([hidden])")
    assert page.locator("#problem").inner_text() == ""
    assert "什么也没有解释" in page.locator("#caption").inner_text()


def test_an_answer_that_comes_late_is_not_shown(made: Release, page: Any, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    content = png(made.dataset.splits["test"].x[0])
    (tmp_path / "picture.png").write_bytes(content)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    page.set_input_files("#file", str(tmp_path / "picture.png"))
    page.set_input_files("#file", str(tmp_path / "broken.png"))
    expect(page.locator("#problem")).not_to_be_empty(timeout=1000 * PATIENCE_S)
    page.evaluate(ASK, base64.b64encode(content).decode())  # behind the first one
    assert page.locator("#answer").is_hidden()


def test_without_the_engine_it_says_what_to_do(made: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUNTIME, str(tmp_path))
    with pytest.raises(MissingLibrary, match="no npm package onnxruntime-web"):
        get(Exporter, "web").export(made.bundle.folder, tmp_path / "page")
    (tmp_path / "dist").mkdir()
    for name in (_PROGRAM, _BINARY):
        (tmp_path / name).write_text("export const other = 1;", encoding="utf-8")
    with pytest.raises(MissingLibrary, match="built otherwise"):
        get(Exporter, "web").export(made.bundle.folder, tmp_path / "page")
    monkeypatch.delenv(RUNTIME)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingLibrary, match="there is no npm") as caught:
        get(Exporter, "web").export(made.bundle.folder, tmp_path / "page")
    assert RUNTIME in caught.value.mend
    assert not (tmp_path / "page").exists()
