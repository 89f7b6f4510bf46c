"""`glassworks data`: pictures and texts alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from glassworks.cli.app import build
from glassworks.data.kinds import kind_of
from glassworks.data.text.synthetic import write_synthetic
from glassworks.errors import DataError, GlassworksError

KEYS = {"examples", "distinct", "duplicates", "contradictions", "findings"}
TEXT_KEYS = KEYS | {"lengths", "honest_split", "random_split", "candidates", "near_duplicates", "imbalance"}


def run(*arguments: str) -> str:
    done = CliRunner().invoke(build(), ["data", *arguments])
    if done.exception:
        raise done.exception
    return done.stdout


def answer(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "--json"))
    return found


@pytest.fixture
def table(tmp_path: Path) -> Path:
    write_synthetic(tmp_path / "t.csv", 80, 0)
    return tmp_path / "t.csv"


def test_the_list_holds_pictures_and_texts() -> None:
    listed = answer("list")
    assert {"digits", "mnist-5k", "zh-reviews"} <= set(listed["samples"])
    assert {"folder", "npz", "sample", "csv", "jsonl", "parquet", "hf"} <= set(listed["schemes"])
    assert "sample:zh-reviews" in run("list")


def test_pictures_are_checked_as_before() -> None:
    assert answer("check", "sample:digits")["examples"] == 1797


def test_texts_are_checked(table: Path) -> None:
    report = answer("check", f"csv:{table}")
    assert set(report) >= TEXT_KEYS
    assert report["examples"] == 80
    assert report["honest_split"]["examples"] == 12
    assert isinstance(report["candidates"], list)
    printed = run("check", f"csv:{table}")
    assert "80 examples" in printed
    assert "the product's own" in printed


def test_a_quick_check_fits_no_classifier(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a classifier was fitted")

    monkeypatch.setattr("glassworks.data.text.baseline.fit_baseline", refuse)
    monkeypatch.setattr("glassworks.data.text.baseline.count_ngrams", refuse)
    report = answer("check", f"csv:{table}", "--quick")
    assert set(report) >= TEXT_KEYS
    assert report["candidates"] is None


def test_columns_are_options_or_those_of_a_job_file(table: Path) -> None:
    table.write_text(table.read_text(encoding="utf-8").replace("text,label", "body,stars", 1), encoding="utf-8")
    given = answer("check", f"csv:{table}", "--text", "body", "--label", "stars", "--quick")
    job = table.with_name("job.toml")
    job.write_text(
        'name = "j"\nfamily = "recurrent_text"\n[data]\nsource = "csv:t.csv"\ntext = "body"\nlabel = "stars"\n',
        encoding="utf-8",
    )
    assert answer("check", str(job), "--quick") == given
    with pytest.raises(DataError, match="has no column 'text'"):
        run("check", f"csv:{table}", "--quick")


def test_many_labels(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,label\none,a;b\ntwo,b\n", encoding="utf-8")
    report = answer("check", f"csv:{tmp_path / 't.csv'}", "--separator", ";", "--quick")
    assert report["class_counts"] == {"a": 1, "b": 2}


def test_marks_in_the_data_are_printed_as_they_are(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "t.csv", 200, 0)
    head, *lines = (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()
    turned = [line.replace("positive", "negative") if n < 20 else line for n, line in enumerate(lines)]
    marked = [f"[/b][red] {line}[/x]" for line in turned]
    (tmp_path / "t.csv").write_text("\n".join([head, *marked]), encoding="utf-8")
    printed = run("check", f"csv:{tmp_path / 't.csv'}")
    assert "labels that look wrong" in printed
    assert "[/b][red]" in printed
    assert "negative[/x]" in printed


@pytest.mark.parametrize(("source", "kind"), [("sample:digits", "pictures"), ("sample:zh-reviews", "texts"),
                                              ("folder:x", "pictures"), ("hf:a/b", "texts"),
                                              ("sample:movielens-small", "interactions")])  # fmt: skip
def test_what_a_source_holds(source: str, kind: str) -> None:
    assert kind_of(source) == kind


@pytest.mark.parametrize(
    ("source", "problem", "mend"),
    [
        ("reviews", "the source 'reviews' is not SCHEME:WHAT", "csv:PATH"),
        ("../x.csv", "the source '../x.csv' is not SCHEME:WHAT", "csv:../x.csv"),
        ("x" * 200, f"the source '{'x' * 200}' is not SCHEME:WHAT", "csv:PATH"),
        ("https:x", "the source 'https:x' has the unknown scheme 'https'", "jsonl"),
        ("sample:none", "there is no sample 'none'", "zh-reviews"),
        ("none.toml", "there is no job file none.toml", "give the path"),
    ],
)
def test_unknown_sources(source: str, problem: str, mend: str) -> None:
    with pytest.raises(GlassworksError) as caught:
        run("check", source)
    assert caught.value.problem == problem
    assert mend in caught.value.mend


def test_a_table_of_interactions(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("who,what,stars\na,1,5\na,2,1\nb,1,4\nb,1,5\n", encoding="utf-8")
    source, roles = f"csv:{tmp_path / 't.csv'}", ("--user", "who", "--item", "what", "--weight", "stars")
    report = answer("check", source, *roles, "--positive", "4")
    assert {name: report[name] for name in ("examples", "distinct", "duplicates", "users", "items", "likes")} == {
        "examples": 4, "distinct": 3, "duplicates": 1, "users": 2, "items": 2, "likes": 2,
    }  # fmt: skip
    printed = run("check", source, *roles)
    assert "there are no times" in printed
    assert "likes of a user, median" in printed


def test_a_table_of_a_job_for_recommendation_holds_interactions(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("user,item\na,1\na,2\nb,1\n", encoding="utf-8")
    job = 'name = "x"\nfamily = "collaborative"\n[data]\nsource = "csv:t.csv"\n'
    (tmp_path / "job.toml").write_text(job, encoding="utf-8")
    assert answer("check", str(tmp_path / "job.toml"))["likes"] == 3


def test_pictures_are_no_interactions() -> None:
    with pytest.raises(GlassworksError, match="'folder' is no source of interactions"):
        run("check", "folder:x", "--user", "u")
