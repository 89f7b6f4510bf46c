"""Jobs over the control API."""

from __future__ import annotations

import pytest
from tests.unit.control.conftest import Api
from tests.unit.test_job_schema import TEXT

from glassworks.catalog import found
from glassworks.contracts import Family


def test_a_job_is_the_same_as_a_text_and_as_a_table(api: Api) -> None:
    by_text = api.post("/jobs/check", {"toml": TEXT})
    assert by_text["valid"]
    again = api.post("/jobs/check", {"job": by_text["job"]})
    assert again["job"] == by_text["job"]
    changed = api.post("/jobs/check", {"toml": TEXT, "changes": {"training.epochs": 0}})
    assert [(each["key"], each["line"]) for each in changed["problems"]] == [("training.epochs", 10)]
    assert "# few" in changed["toml"]


def test_what_is_not_toml_is_said_with_its_line(api: Api) -> None:
    found = api.post("/jobs/check", {"toml": 'name = "a"\nfamily = = 1\n'})
    assert (found["valid"], found["job"], found["problems"][0]["line"]) == (False, None, 2)


@pytest.mark.parametrize("body", [{}, {"toml": "", "job": {}}, {"toml": 3}, {"toml": "a" * 200_001}, [], "x"])
def test_a_request_that_is_none_is_refused(body: object, api: Api) -> None:
    api.post("/jobs/check", body, status=400)


@pytest.mark.parametrize(
    "toml",
    [
        "[" * 5000,
        "a = " + "[" * 2000,
        "\x00",
        "family = 'convnet'\n[data]\nsource = 3",
        "x=1979-05-27",
    ],
)
def test_no_text_breaks_it(toml: str, api: Api) -> None:
    assert not api.post("/jobs/check", {"toml": toml})["valid"]


def test_a_text_that_is_nested_too_deeply_is_refused(api: Api) -> None:
    api.post("/jobs/check", {"toml": "a." * 1500 + "b = 1"}, status=400)


def test_families_and_their_schemas(api: Api) -> None:
    families = api.get("/jobs/families")["items"]
    assert [each["family"] for each in families] == list(found(Family))
    assert api.get("/jobs/families/convnet/schema")["properties"]["family"]["const"] == "convnet"
    api.get("/jobs/families/dance/schema", status=404)
