"""Batch predictions and explanations say for each example what is said when it is asked alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from PIL import Image
from tests.unit.recommendation.shops import bundle
from typer.testing import CliRunner

from glassworks.catalog import get
from glassworks.cli.app import build
from glassworks.config import OptimizationConfig
from glassworks.contracts import Explanation, Family
from glassworks.errors import GlassworksError, NotFound, Unsupported
from glassworks.families.convnet.synthetic import write_bars
from glassworks.families.image_operators import ImageOperators
from glassworks.families.recurrent_text import RecurrentText
from glassworks.flow import release
from glassworks.packaging.answered import explanation_json
from glassworks.packaging.bundle import Bundle
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.registry import Registry
from glassworks.runs import Runs

PICTURES = 40


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GLASSWORKS_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("texts")
    job = RecurrentText().tiny(folder).model_copy(update={"optimization": OptimizationConfig(enabled=False)})
    return str(release(job, Registry.open({"GLASSWORKS_HOME": str(folder)}), Silent()).bundle.folder)


def run(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(build(), [*arguments, "--json"])
    assert done.exit_code == 0, (done.output, done.exception)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def lines(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(found["file"]).read_bytes().splitlines()]


def test_pictures_of_a_folder_without_classes_or_labels(tiny_bundle: Bundle, home: Path) -> None:
    (home / "data" / "more").mkdir(parents=True)
    generator = np.random.default_rng(0)
    for number in range(PICTURES):
        pixels = generator.integers(0, 256, (20, 16, 3), np.uint8)
        Image.fromarray(pixels).save(home / "data" / ("more" if number % 2 else "") / f"{number:02}.png")
    (home / "data" / "broken.png").write_bytes(b"no picture")
    found = run("predict", str(tiny_bundle.folder), "--data", f"folder:{home / 'data'}")
    assert (found["examples"], found["errors"]) == (PICTURES + 1, 1)
    opened = OpenedBundle(tiny_bundle)
    for line in lines(found):
        if line["name"] == "broken.png":
            assert "cannot be" in line["error"] or "picture" in line["error"]
            continue
        outputs = opened.predict(opened.read((home / "data" / line["name"]).read_bytes()))
        alone = opened.task.present(opened.task.answer(outputs, opened.manifest.labels)[0]).row
        assert line["answer"]["label"] == alone["label"]
        assert line["answer"]["probability"] == pytest.approx(alone["probability"], abs=1e-5)


def test_decoded_pictures_are_those_that_models_are_measured_on(tiny_bundle: Bundle, home: Path) -> None:
    """Gray ones too: they come as a file of arrays."""
    write_bars(home / "bars.npz", examples=24, side=20, seed=3)
    opened = OpenedBundle(tiny_bundle)
    source, preprocessing = f"npz:{home / 'bars.npz'}", opened.manifest.preprocessing
    split = get(Family, "convnet").read(source, preprocessing, opened.manifest.labels)
    read = [each() for _, each in opened.task.inputs(source, preprocessing)]
    assert np.array_equal(np.stack(read), split.x)
    found = run("predict", str(tiny_bundle.folder), "--data", source, "--limit", "5", "-o", str(home / "five.jsonl"))
    assert found["file"] == str(home / "five.jsonl")
    assert [line["name"] for line in lines(found)] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("written", ["csv", "parquet", "jsonl"])
def test_texts_without_labels(texts: str, home: Path, written: str) -> None:
    table = polars.DataFrame(
        {"note": list("abcdef"), "text": ["a good day", "", "bad, bad", "\U0001f600", "x", "so so"]}
    )
    getattr(table, {"csv": "write_csv", "parquet": "write_parquet", "jsonl": "write_ndjson"}[written])(
        home / f"texts.{written}"
    )
    found = lines(run("predict", texts, "--data", f"{written}:{home / f'texts.{written}'}"))
    assert [line["row"] for line in found] == list(range(6))
    alone = run("predict", texts, "bad, bad")["outputs"]
    assert found[2]["answer"]["probability"] == pytest.approx(alone["probability"], abs=1e-5)


@pytest.mark.parametrize("written", ["csv", "parquet"])
def test_users_and_histories(home: Path, written: str) -> None:
    model = str(bundle(home / "shop"))
    columns: dict[str, list[Any]] = {"user": [104, None, 9999], "history": [None, [10, 20], None], "k": [3, 3, 2]}
    if written == "csv":
        columns["history"] = [each and json.dumps(each) for each in columns["history"]]
        polars.DataFrame(columns).write_csv(home / "asked.csv")
    else:
        polars.DataFrame(columns).write_parquet(home / "asked.parquet")
    found = lines(run("predict", model, "--data", f"{written}:{home / f'asked.{written}'}"))
    assert [line["name"] for line in found] == ["104", "row 2", "9999"]
    for line, asked in zip(
        found,
        ('{"user": 104, "k": 3, "reasons": 0}', '{"history": [10, 20], "k": 3, "reasons": 0}'),
        strict=False,
    ):
        assert line["answer"] == run("predict", model, asked)["outputs"]


def test_each_user_of_a_table_of_interactions_is_asked_for_once(home: Path) -> None:
    model = str(bundle(home / "shop"))
    polars.DataFrame({"user": [104, 105, 104], "item": [10, 20, 30]}).write_csv(home / "log.csv")
    found = run("explain", model, "--data", f"csv:{home / 'log.csv'}", "--method", "counterfactual")
    assert [line["name"] for line in lines(found)] == ["104", "105"]
    assert all(line["explanation"]["names"] for line in lines(found))


def test_explanations_with_their_grade_are_those_of_one_input(tiny_bundle: Bundle, home: Path) -> None:
    write_bars(home / "bars.npz", examples=24, side=16, seed=3)
    asked = ("explain", str(tiny_bundle.folder), "--data", f"npz:{home / 'bars.npz'}", "--limit", "2", "--seed", "3")
    found = lines(run(*asked, "--method", "integrated_gradients"))
    opened = OpenedBundle(tiny_bundle)
    for line, (_, read) in zip(
        found, opened.task.inputs(f"npz:{home / 'bars.npz'}", opened.manifest.preprocessing), strict=False
    ):
        explained: Explanation = opened.explain(read()[None], method="integrated_gradients", seed=3)
        record = explanation_json(explained)
        assert np.allclose(line["explanation"].pop("values"), record.pop("values"), rtol=1e-5)
        del record["milliseconds"]
        assert line["explanation"] == json.loads(json.dumps(record))
        assert line["answer"]["label"] == line["explanation"]["label"]
    again = run(*asked, "--method", "integrated_gradients")
    assert lines(again)[0] == lines(run(*asked, "--method", "integrated_gradients"))[0]


def test_pictures_of_their_own_sizes(home: Path) -> None:
    job = ImageOperators().tiny(home / "job")
    made = release(job, Registry.open(), Silent())
    (home / "data").mkdir()
    for number, size in enumerate(((20, 30), (30, 20), (20, 30))):
        Image.fromarray(np.zeros((*size, 3), np.uint8)).save(home / "data" / f"{number}.png")
    found = lines(run("predict", made.version.name, "--data", f"folder:{home / 'data'}"))
    assert [(line["answer"]["height"], line["answer"]["width"]) for line in found] == [(20, 30), (30, 20), (20, 30)]


@pytest.mark.parametrize(
    ("kind", "more", "error", "said"),
    [
        ("predict", {"data": "nowhere"}, NotFound, "no source 'nowhere'"),
        ("predict", {"model": "nobody"}, NotFound, "nobody"),
        ("explain", {"method": "magic"}, Unsupported, "no explanation method 'magic'"),
        ("explain", {"limit": 0}, GlassworksError, "limit"),
    ],
)
def test_what_cannot_work_is_never_queued(
    tiny_bundle: Bundle, home: Path, kind: str, more: dict[str, Any], error: type[Exception], said: str
) -> None:
    runs = Runs(Registry.open())
    with pytest.raises(error, match=said):
        runs.submit(kind, {"model": str(tiny_bundle.folder), "data": "sample:digits", **more})
    assert runs.list() == ()


def test_each_run_has_a_file_of_its_own(tiny_bundle: Bundle, home: Path) -> None:
    runs, request = Runs(Registry.open()), {"model": str(tiny_bundle.folder), "data": "sample:digits"}
    first, second = (runs.submit("predict", request) for _ in range(2))
    assert first.request["output"] != second.request["output"]
    keyed = [runs.submit("predict", request, idempotency="nightly") for _ in range(2)]
    assert keyed[0] == keyed[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give one input, or a source"),
        (("x.png", "--data", "sample:digits"), "give one input, or a source"),
        (("x.png", "--detach"), "--detach is for sources"),
        (("--data", "sample:digits", "--smoothing", "0.5"), "--smoothing does not go with --data"),
        (("--data", "folder:nowhere"), "there is no folder"),
        (("--data", "csv:nowhere.csv"), "there is no file"),
    ],
)
def test_what_does_not_fit_is_said(tiny_bundle: Bundle, home: Path, arguments: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(build(), ["predict", str(tiny_bundle.folder), *arguments])
    assert isinstance(done.exception, GlassworksError)
    assert said in done.exception.problem
