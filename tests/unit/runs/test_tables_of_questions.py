"""A table in is a table out: its columns, and those of the answers, for every task; killed, it goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars
import pytest
from PIL import Image
from tests.unit.recommendation.shops import bundle
from typer.testing import CliRunner

from glassworks.cli.app import build
from glassworks.config import OptimizationConfig
from glassworks.errors import GlassworksError
from glassworks.families.convnet.synthetic import write_bars
from glassworks.families.recurrent_text import RecurrentText
from glassworks.flow import release
from glassworks.packaging import answered
from glassworks.packaging.bundle import Bundle
from glassworks.progress import Silent
from glassworks.registry import Registry

ROWS = 11


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GLASSWORKS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("texts")
    job = RecurrentText().tiny(folder).model_copy(update={"optimization": OptimizationConfig(enabled=False)})
    made = release(job, Registry.open({"GLASSWORKS_HOME": str(folder)}), Silent())
    return str(made.bundle.folder), folder / "planted.csv"


def run(*arguments: str) -> Any:
    done = CliRunner().invoke(build(), list(arguments))
    assert done.exit_code == 0, (done.output, done.exception)
    return done


def refused(*arguments: str) -> str:
    done = CliRunner().invoke(build(), list(arguments))
    assert isinstance(done.exception, GlassworksError), (done.output, done.exception)
    return f"{done.exception.problem} {done.exception.mend}"


def written(path: Path, suffix: str) -> polars.DataFrame:
    if suffix == ".parquet":
        return polars.read_parquet(path)
    if suffix == ".jsonl":
        return polars.read_ndjson(path)
    return polars.read_csv(path, separator="\t" if suffix == ".tsv" else ",", infer_schema=False)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".jsonl"])
@pytest.mark.parametrize("given", [".csv", ".parquet", ".jsonl"])
def test_texts_keep_their_columns_and_get_those_of_the_answers(
    texts: tuple[str, Path], home: Path, given: str, suffix: str
) -> None:
    model, source = texts
    table = polars.read_csv(source, infer_schema=False).head(ROWS).with_columns(id=polars.Series(range(ROWS)))
    table = table.rename({"text": "review, whole"})
    path = home / f"asked{given}"
    write: dict[str, Callable[[Path], object]]
    write = {".csv": table.write_csv, ".parquet": table.write_parquet, ".jsonl": table.write_ndjson}
    write[given](path)
    run("predict", model, str(path), "--column", "review, whole", "-o", str(home / f"out{suffix}"))
    found = written(home / f"out{suffix}", suffix)
    assert found.columns == ["review, whole", "label", "id", "predicted_label", "probability"]
    assert found["review, whole"].to_list() == table["review, whole"].to_list()
    alone = json.loads(run("predict", model, "--json", "--", table["review, whole"][3]).stdout)["outputs"]
    assert found["predicted_label"][3] == alone["label"]
    assert float(found["probability"][3]) == pytest.approx(alone["probability"])
    assert not list(home.glob(".*"))


def test_without_an_output_the_first_rows_are_shown_and_json_has_all(texts: tuple[str, Path], home: Path) -> None:
    model, source = texts
    polars.read_csv(source).select("text").head(30).write_csv(home / "t.csv")
    shown = run("predict", model, "t.csv").output
    assert "row 20" in shown and "row 21" not in shown and "-o answers.csv" in shown
    found = json.loads(run("predict", model, "t.csv", "--json").stdout)
    assert len(found["rows"]) == 30
    assert set(found["rows"][0]["answer"]) == {"label", "probability"}


def test_a_row_that_cannot_be_answered_says_why_beside_the_others(texts: tuple[str, Path], home: Path) -> None:
    model, source = texts
    own = polars.read_csv(source)["text"][0]
    (home / "t.csv").write_text(f"text,k\n{own},1\n{'x ' * 400_000},2\n")
    run("predict", model, "t.csv", "-o", "out.csv")
    found = polars.read_csv(home / "out.csv")
    assert found["error"][0] is None and found["label"][1] is None
    assert len(found["error"][1]) < 300


def test_a_column_that_is_not_there_and_a_file_of_another_kind(texts: tuple[str, Path], home: Path) -> None:
    model, _ = texts
    (home / "t.csv").write_text("review,stars\nfine,5\n")
    said = refused("predict", model, "t.csv", "-o", "out.csv")
    assert "no column 'text'" in said and "review, stars" in said and "--column" in said
    assert "xlsx" in refused("predict", model, "t.csv", "--column", "review", "-o", "out.xlsx")
    assert not list(home.glob("out*"))


def test_a_killed_table_goes_on(texts: tuple[str, Path], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, source = texts
    polars.read_csv(source).select("text").head(100).write_csv(home / "t.csv")
    run("predict", model, "t.csv", "-o", "whole.csv")
    answers, asked = answered._answered, list[int]()

    def dying(batch: Any, answer: Any) -> Any:
        asked.append(len(batch))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return answers(batch, answer)

    monkeypatch.setattr(answered, "_answered", dying)
    CliRunner().invoke(build(), ["predict", model, "t.csv", "-o", "out.csv"])
    assert not (home / "out.csv").exists() and list(home.glob(".out.csv.*"))
    run("predict", model, "t.csv", "-o", "out.csv")
    assert sum(asked[3:]) == 100 - sum(asked[:2])
    assert (home / "out.csv").read_bytes() == (home / "whole.csv").read_bytes()
    assert not list(home.glob(".out*"))


def test_pictures_by_a_column_of_paths(tiny_bundle: Bundle, home: Path) -> None:
    import numpy as np

    write_bars(home / "bars.npz", examples=4, side=12, seed=1)
    (home / "in").mkdir()
    for number, pixels in enumerate(np.load(home / "bars.npz")["x"]):
        Image.fromarray(pixels.squeeze()).save(home / "in" / f"{number}.png")
    (home / "in" / "asked.csv").write_text("id;Path\na;0.png\nb;1.png\nc;gone.png\nd;\n")
    run("predict", str(tiny_bundle.folder), "in/asked.csv", "-o", "out.csv")
    found = polars.read_csv(home / "out.csv")
    assert found["id"].to_list() == ["a", "b", "c", "d"]
    assert found["label"].is_null().to_list() == [False, False, True, True]
    assert "gone.png" in found["error"][2] and "no path" in found["error"][3]


def test_users_get_a_row_for_each_item(home: Path) -> None:
    model = str(bundle(home / "shop"))
    (home / "users.csv").write_text("user,k\n1,2\n2,3\n")
    run("predict", model, "users.csv", "-o", "out.csv")
    found = polars.read_csv(home / "out.csv")
    assert found.columns == ["row", "user", "rank", "item", "score"]
    assert found["rank"].to_list() == [1, 2, 1, 2, 3]


def test_evaluate_takes_columns_of_other_names(texts: tuple[str, Path], home: Path) -> None:
    model, source = texts
    polars.read_csv(source).rename({"text": "review", "label": "stars"}).write_csv(home / "t.csv")
    own = json.loads(run("evaluate", model, "--data", f"csv:{source}", "--json").stdout)
    other = run("evaluate", model, "--data", "csv:t.csv", "--text", "review", "--label", "stars", "--json")
    found = json.loads(other.stdout)
    assert found["metrics"] == own["metrics"]
    assert [each["label"] for each in found["classes"]] == [each["label"] for each in own["classes"]]
    assert "columns of --data" in refused("evaluate", model, "--text", "review")


def test_nothing_is_written_over_the_table_that_is_read(texts: tuple[str, Path], home: Path) -> None:
    model, source = texts
    polars.read_csv(source).select("text").head(3).write_csv(home / "t.csv")
    before = (home / "t.csv").read_bytes()
    (home / "same.csv").symlink_to(home / "t.csv")
    for output in ("t.csv", "./t.csv", str(home / "t.csv"), "same.csv"):
        assert "is the input, and would be written over" in refused("predict", model, "t.csv", "-o", output)
        assert "is the input" in refused("predict", model, "--data", "csv:t.csv", "-o", output)
    assert (home / "t.csv").read_bytes() == before


def test_a_picture_is_not_written_over_by_its_answer(tiny_bundle: Bundle, home: Path) -> None:
    import numpy as np

    write_bars(home / "bars.npz", examples=1, side=12, seed=1)
    Image.fromarray(np.load(home / "bars.npz")["x"][0].squeeze()).save(home / "x.png")
    before = (home / "x.png").read_bytes()
    for verb in ("predict", "explain"):
        assert "-o" in refused(verb, str(tiny_bundle.folder), "x.png", "-o", "x.png")
    assert (home / "x.png").read_bytes() == before
    run("predict", str(tiny_bundle.folder), "x.png", "-o", "y.png")
    assert (home / "y.png").exists()
