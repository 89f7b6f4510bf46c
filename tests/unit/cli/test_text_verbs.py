"""Texts on the command line and in Python: given themselves or as files; what is not ruled out; what is drawn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import glassworks
from glassworks.cli.app import build
from glassworks.config import OptimizationConfig
from glassworks.errors import GlassworksError, InputError
from glassworks.families.recurrent_text import RecurrentText
from glassworks.flow import release
from glassworks.progress import Silent
from glassworks.registry import Registry


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("texts")
    job = RecurrentText().tiny(folder).model_copy(update={"optimization": OptimizationConfig(enabled=False)})
    return str(release(job, Registry.open({"GLASSWORKS_HOME": str(folder)}), Silent()).bundle.folder)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(build(), list(arguments))


def outputs(*arguments: str) -> dict[str, object]:
    done = run("predict", *arguments, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, object] = json.loads(done.stdout)["outputs"]
    return found


def test_a_text_is_given_itself_as_a_file_or_from_python(model: str, tmp_path: Path) -> None:
    text = "a wonderful day"
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    found = outputs(model, text)
    assert found == outputs(model, str(tmp_path / "text.txt"))
    assert [found] == glassworks.predict(model, text) == glassworks.predict(model, text.encode())
    explained, given = glassworks.explain(model, text, method="leave_one_out", grade=False)
    assert (str(given), explained.label) == (text, found["label"])


def test_a_text_that_is_also_a_name_has_a_defined_answer(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wonderful").mkdir()
    (tmp_path / "day").write_text("a terrible day", encoding="utf-8")
    assert outputs(model, "wonderful") == glassworks.predict(model, "wonderful")[0]
    assert "wonderful is a folder: it is taken as the text itself" in " ".join(
        run("predict", model, "wonderful").stderr.split()
    )
    assert outputs(model, "day") == glassworks.predict(model, "a terrible day")[0]
    assert "day is a file, which is read; --text takes the text itself" in " ".join(
        run("predict", model, "day").stderr.split()
    )
    assert outputs(model, "day", "--text") == glassworks.predict(model, "day")[0]
    assert outputs(model, "-", "--text") == glassworks.predict(model, "-")[0]
    assert (
        json.loads(run("explain", model, "day", "--text", "--json").stdout)["label"]
        == outputs(model, "day", "--text")["label"]
    )


def test_empty_long_and_dashed_texts_have_a_defined_answer(model: str) -> None:
    assert outputs(model, "") == glassworks.predict(model, "")[0]
    done = run("predict", "--json", "--", model, "-5 wonderful")
    assert json.loads(done.stdout)["outputs"] == glassworks.predict(model, "-5 wonderful")[0]
    long = "wonderful " * 20_000
    assert (
        CliRunner().invoke(build(), ["predict", model, "-", "--json"], input=long).exit_code
        == run("predict", model, long, "--json").exit_code
    )


def test_a_text_with_a_dash_is_no_option_and_it_is_said_how(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from glassworks.cli.app import main

    monkeypatch.setattr("sys.argv", ["glassworks", "predict", "m", "-5 degrees"])
    with pytest.raises(SystemExit):
        main()
    assert "a text that begins with - stands behind --" in capsys.readouterr().err


def test_what_is_not_ruled_out_is_shown(model: str) -> None:
    kept = outputs(model, "a wonderful day")["label_set"]
    assert isinstance(kept, list)
    shown = " ".join(run("predict", model, "a wonderful day").output.split())
    assert f"not ruled out: {', '.join(kept) or 'no label'}" in shown


@pytest.mark.parametrize("wrong", ["texts/good.txt", "reviews.csv"])
def test_what_looks_like_a_path_is_said_to_be_read_as_a_text(model: str, wrong: str) -> None:
    done = run("predict", model, wrong)
    assert done.exit_code == 0
    assert f"there is no file {wrong}" in " ".join(done.stderr.split())
    assert "there is no file" not in run("predict", model, "good/bad, you choose").stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("predict", ".", ""), "cannot read the input"),
        (("predict", "text", "-o answers.csv"), "draws nothing to write to answers.csv"),
        (("explain", "text", "-o why.png"), "the explanation is drawn as HTML, not as '.png'\nmend: write -o why.html"),
    ],
)
def test_what_cannot_be_done_is_said(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, str, str], problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    verb, text, more = arguments
    error = run(verb, model, text, *more.split()).exception
    assert isinstance(error, InputError)
    assert problem in str(error)
    assert not [*tmp_path.iterdir()]


def test_a_method_that_the_family_lacks_is_reported_before_anything_is_read(tmp_path: Path) -> None:
    job = RecurrentText().tiny(tmp_path)
    wrong = job.model_copy(update={"explanation": job.explanation.model_copy(update={"method": "grad_cam"})})
    next(tmp_path.glob("*.csv")).unlink()
    with pytest.raises(GlassworksError, match=r"'explanation\.method' is 'grad_cam', which recurrent_text"):
        release(wrong, Registry.open({"GLASSWORKS_HOME": str(tmp_path)}), Silent())
