"""Texts of a title and a body: learned, asked for in every form, and explained by part."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from typer.testing import CliRunner

import glassworks
from glassworks.catalog import get
from glassworks.cli.app import build
from glassworks.config import OptimizationConfig
from glassworks.contracts import Task
from glassworks.families.recurrent_text import RecurrentText
from glassworks.flow import release
from glassworks.progress import Silent
from glassworks.registry import Registry
from glassworks.registry.opening import open_model
from glassworks.text.parts import join_parts, part_names, sections, whole_text

TITLE, BODY = "an ordinary subject", "the lamp is wonderful"
WHOLE = f"{TITLE} \u241f {BODY}"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("parts")
    job = RecurrentText().tiny(folder)
    read = polars.read_csv(job.data.source.removeprefix("csv:"))
    titles = [f"an ordinary subject {number % 7}" for number in range(len(read))]
    read.with_columns(title=polars.Series(titles)).rename({"text": "body"}).write_csv(folder / "parts.csv")
    data = job.data.model_copy(update={"source": f"csv:{folder / 'parts.csv'}", "text": ("title", "body")})
    job = job.model_copy(update={"data": data, "optimization": OptimizationConfig(enabled=False)})
    return str(release(job, Registry.open({"GLASSWORKS_HOME": str(folder)}), Silent()).bundle.folder)


def run(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(build(), [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_parts_are_joined_and_found_again() -> None:
    names = ("title", "body")
    assert join_parts([TITLE, BODY]) == WHOLE
    assert [WHOLE[begin:end] for _, begin, end in sections(WHOLE, names)] == [TITLE, BODY]
    assert [name for name, *_ in sections(WHOLE, names)] == ["title", "body"]
    assert sections("alone", names) == (("title", 0, 5), ("body", 5, 5))
    assert join_parts(["", BODY]) == f" \u241f {BODY}"
    assert join_parts(["", " "]) == ""
    assert join_parts(["a \u241f b", "c"]).count("\u241f") == 1
    assert whole_text(json.dumps({"body": BODY, "title": TITLE}), names) == WHOLE
    for other in ('{"title": "a"}', "{no json", "[1]", BODY):
        assert whole_text(other, names) == other
    assert part_names({"columns": {"text": "text"}}) == ()


def test_a_model_answers_for_parts_in_every_form(model: str) -> None:
    as_object = json.dumps({"title": TITLE, "body": BODY})
    found = run("predict", model, WHOLE)["outputs"]
    assert found == run("predict", model, as_object)["outputs"] == glassworks.predict(model, as_object)[0]
    assert found["label"] != run("predict", model, WHOLE.replace("wonderful", "terrible"))["outputs"]["label"]


def test_an_explanation_says_what_each_part_counts(model: str) -> None:
    found = run("explain", model, json.dumps({"title": TITLE, "body": BODY}), "--method", "leave_one_out")
    assert [WHOLE[part["start"] : part["end"]] for part in found["parts"]] == [TITLE, BODY]
    values = {part["name"]: part["value"] for part in found["parts"]}
    assert values["body"] > abs(values["title"])
    shown = CliRunner().invoke(build(), ["explain", model, WHOLE, "--method", "leave_one_out"]).output
    assert "  - body: +" in shown


def test_tables_with_the_same_columns_are_answered_and_measured(model: str, tmp_path: Path) -> None:
    polars.DataFrame({"title": [TITLE] * 3, "body": [BODY, "terrible lamp", BODY]}).write_csv(tmp_path / "t.csv")
    run("predict", model, "--data", f"csv:{tmp_path / 't.csv'}", "-o", str(tmp_path / "o.jsonl"))
    rows = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert [row["name"] for row in rows] == ["row 1", "row 2", "row 3"]
    values = [{key: each for key, each in row.items() if key not in ("row", "name")} for row in rows]
    assert values[0] == values[2] != values[1]


def test_parts_are_inputs_of_their_own_on_the_wire(model: str) -> None:
    opened = open_model(model, Registry.open())
    preprocessing = opened.manifest.preprocessing
    task = get(Task, "text-classification")
    given = {name: np.array([value.encode()], object) for name, value in (("body", BODY), ("title", TITLE))}
    assert task.gathered(given, preprocessing)["text"].tolist() == [WHOLE]
    assert task.aliases(preprocessing) == ("title", "body")
    lone = {"body": given["body"]}
    assert task.gathered(lone, preprocessing) is lone
