"""Jobs over the control API."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.control.conftest import Api
from tests.unit.test_job_schema import TEXT

from glassworks.catalog import found
from glassworks.contracts import Family
from glassworks.packaging.bundle import Bundle


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


def test_what_would_be_unlike_the_served_version_is_told_before_training(api: Api, tiny_bundle: Bundle) -> None:
    """Pictures of another size, other labels, another task; nothing for what is alike, or not known."""
    api.control.registry.publish(tiny_bundle)
    name = tiny_bundle.manifest.name

    def told(family: str = "convnet", source: str = "sample:digits", model: Any = None, **job: Any) -> list[str]:
        asked = {"name": name, "family": family, "data": {"source": source}, "model": model or {}, **job}
        found: list[str] = api.post("/jobs/check", {"job": asked})["warnings"]
        return found

    height, width = (int(str(tiny_bundle.manifest.preprocessing[key])) for key in ("height", "width"))
    (inputs,) = told(model={"size": 2 * height})
    assert f"{2 * height} x {2 * height} pixels against {height} x {width}" in inputs
    assert inputs.startswith(f"unlike {name}@1, they take other inputs")
    (labels,) = told(model={"size": height})
    assert "they answer with other labels, '0', '1', '2' and 7 more against" in labels
    (task,) = told(family="recurrent_text", source="sample:zh-reviews")
    assert "it is for text-classification, not image-classification" in task
    assert told(name="another") == told(source="folder:x") == told(data=3) == []
