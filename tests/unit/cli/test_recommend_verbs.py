"""Recommendations on the command line: a user or a request itself, and an explanation that names items."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.unit.recommendation.shops import bundle
from typer.testing import CliRunner, Result

from glassworks.cli.app import build
from glassworks.errors import InputError


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(bundle(tmp_path_factory.mktemp("model") / "shop"))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(build(), list(arguments))


def test_a_user_or_a_request_may_be_given_itself(model: str, tmp_path: Path) -> None:
    shown = run("predict", model, "104")
    assert shown.exit_code == 0, shown.output
    assert "by history" in shown.output
    asked = '{"history": [10, 20, 9999], "k": 5}'
    (tmp_path / "request.json").write_text(asked, encoding="utf-8")
    found = [
        json.loads(run("predict", model, given, "--json").stdout) for given in (asked, str(tmp_path / "request.json"))
    ]
    assert found[0] == found[1]
    assert len(found[0]["outputs"]["items"]) == 5
    assert found[0]["outputs"]["unknown_items"] == [9999]


def test_what_is_missing_is_said(model: str) -> None:
    shown = run("predict", model, '{"user": 104, "where": {"price": {"max": 9}}, "k": 50}').output
    assert "where price" in " ".join(shown.split())


@pytest.mark.parametrize("method", ["history_contributions", "counterfactual"])
def test_an_explanation_names_the_items_and_is_drawn(model: str, tmp_path: Path, method: str) -> None:
    page = tmp_path / "why.html"
    done = run("explain", model, "104", "--target", "30", "--method", method, "-o", str(page))
    assert done.exit_code == 0, done.output
    record = json.loads(run("explain", model, "104", "--target", "30", "--method", method, "--json").stdout)
    assert record["label"] == "Title 3"
    values = np.ravel(record["values"])
    assert len(record["names"]) == len(values)
    titles = [name["title"] for name, value in zip(record["names"], values, strict=True) if value]
    assert titles
    for reported in (page.read_text(encoding="utf-8"), done.output):
        assert all(f"{title} (" in reported for title in titles)
    assert done.output.count("Title") == len(titles) + 1
    said = {"history_contributions": "because of", "counterfactual": "would not be among the best without those of 1"}
    assert f"Title 3, {said[method]}" in " ".join(done.output.split())


def test_a_counterfactual_that_was_not_found_is_reported(model: str) -> None:
    """Of somebody with no history, nothing can be taken out: what is popular stays."""
    shown = run("explain", model, '{"history": [9999]}', "--method", "counterfactual")
    assert shown.exit_code == 0, shown.output
    assert "nothing was found" in shown.output


def test_an_item_that_there_is_not_cannot_be_explained(model: str) -> None:
    assert isinstance(run("explain", model, "104", "--target", "7777").exception, InputError)
