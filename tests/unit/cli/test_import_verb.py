"""`glassworks import` of a classifier: what is found, what is missing, and the job that is made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glassworks.cli.app import build
from glassworks.cli.verbs import bring
from glassworks.config import Job
from glassworks.errors import GlassworksError
from glassworks.families.imported.synthetic import write_lines


@pytest.fixture
def model(tmp_path: Path) -> Path:
    write_lines(tmp_path / "My Lines.onnx")
    return tmp_path / "My Lines.onnx"


def made(monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[Job, str]:
    """The job that the words make, and which verb is told next; nothing is done."""
    given: list[tuple[Job, str]] = []
    monkeypatch.setattr(bring, "_bring", lambda job, resume, as_json, verb: given.append((job, verb)))
    result = CliRunner().invoke(build(), ["import", *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return given[0]


def test_few_words_make_a_whole_job(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, verb = made(monkeypatch, str(model), "--data", "folder:photos")
    assert (job.name, job.family, verb) == ("my-lines", "imported", "predict")
    assert job.model == {"source": f"file:{model}"}


def test_what_is_stated_stands_in_the_job(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "labels.txt").write_text("across\n\ndown \ndiagonal\n", encoding="utf-8")
    words = ["--task", "image-classification", "--labels", str(tmp_path / "labels.txt"), "--shape", "16,16,1"]
    job, _ = made(monkeypatch, str(model), "--data", "folder:x", "--preprocessing", "unit", *words, "--name", "lines")
    assert job.name == "lines"
    stated = {"labels": ["across", "down", "diagonal"], "preprocessing": "unit", "shape": [16, 16, 1]}
    assert job.model == {"source": f"file:{model}", **stated}


def test_alone_it_tells_what_was_found_and_what_is_missing(model: Path) -> None:
    result = CliRunner().invoke(build(), ["import", str(model), "--json"])
    assert isinstance(result.exception, GlassworksError)
    assert "--data" in result.exception.mend
    told = json.loads(result.stdout)
    assert told["labels"] == "3: across, down, diagonal"
    assert told["input"] == "pixels ['any', 1, 16, 16]"
    assert "--preprocessing" in told["preprocessing"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--task", "text-generation"], "text-generation"),
        (["--shape", "16"], "--shape is '16'"),
        (["--labels", "gone.txt"], "cannot be read"),
        (["--preprocessing", "magic"], "preprocessing"),
    ],
)
def test_what_cannot_be_meant_is_refused(words: list[str], problem: str, model: Path) -> None:
    result = CliRunner().invoke(build(), ["import", str(model), "--data", "folder:x", *words])
    assert isinstance(result.exception, GlassworksError)
    assert problem in result.exception.problem


def test_language_models_take_no_labels(tmp_path: Path) -> None:
    result = CliRunner().invoke(build(), ["import", str(tmp_path), "--labels", "labels.txt"])
    assert isinstance(result.exception, GlassworksError)
    assert "--labels says nothing" in result.exception.problem


def test_pickles_are_refused(tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(b"\x80\x05.")
    result = CliRunner().invoke(build(), ["import", str(tmp_path / "m.pkl")])
    assert isinstance(result.exception, GlassworksError)
    assert "is a pickle" in result.exception.problem
