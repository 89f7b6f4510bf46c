"""What is typed into forms: parts of a text, features of a user, lists and tables as values of keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.integration.console.browsing import browser, visit
from tests.integration.serving.running import Server, serving

TEXTS = {"text_parts_json": '["title", "body"]', "task": "text-classification"}
PEOPLE = {"user_features_json": '["country", "age"]', "task": "recommendation"}
ANSWERED = [
    {"name": "probabilities", "datatype": "FP32", "shape": [1, 2], "data": [0.75, 0.25]},
    {"name": "recommendations", "datatype": "BYTES", "shape": [1], "data": ['{"items": []}']},
]
READ = """async ([values, type, part]) => {
  const form = await import(new URL("components/schema_form.js", document.querySelector('script[type="module"]').src));
  return values.map((text) => [form.read(text, type, part), form.listed(form.read(text, type, part))]);
}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("home"), "--no-grpc") as running:
        yield running


def pretend(page: Any, name: str, properties: dict[str, str]) -> list[str]:
    """A served model that answers always the same; what it is asked."""
    about = {"inputs": [{"name": name, "datatype": "BYTES", "shape": [-1]}], "properties": properties}
    config = {"labels": "[]", "version_policy": {"specific": {"versions": [1]}}}
    asked: list[str] = []

    def answer(route: Any) -> None:
        if route.request.method == "POST":
            asked.append(route.request.post_data_json["inputs"][0]["data"][0])
        route.fulfill(json=config if route.request.url.endswith("config") else {**about, "outputs": ANSWERED})

    page.route("**/v2/models/pretended**", answer)
    return asked


def test_the_parts_of_a_text_are_fields_of_their_own(chromium: Any, server: Server) -> None:
    with visit(chromium, server.address) as page:
        asked = pretend(page, "text", TEXTS)
        page.goto(f"http://{server.address}/#/try/pretended")
        page.get_by_label("title").fill("Broken")
        page.get_by_label("body").fill("It arrived \u241f in pieces")
        page.get_by_role("button", name="Ask", exact=True).click()
        page.wait_for_selector("details.requests")
    assert asked[0] == "Broken \u241f It arrived   in pieces"


def test_a_user_may_be_described(chromium: Any, server: Server) -> None:
    with visit(chromium, server.address) as page:
        asked = pretend(page, "request", PEOPLE)
        page.goto(f"http://{server.address}/#/try/pretended")
        page.get_by_label("country").fill("FR")
        page.get_by_role("button", name="Recommend").click()
        page.wait_for_selector("details.requests")
    assert {"k": 5, "features": {"country": "FR"}} in map(json.loads, asked)


@pytest.mark.parametrize(
    ("text", "kind", "part", "value"),
    [
        ("title, body", "string", {"types": [{"type": "string"}, {"type": "array"}]}, ["title", "body"]),
        ("a, b", "string", {"type": "string"}, "a, b"),
        ("view = 1, buy = 5", "object", {"additionalProperties": {"type": "number"}}, {"view": 1, "buy": 5}),
        ("1 = one, none = ", "object", {"additionalProperties": {"type": "string"}}, {"1": "one", "none": ""}),
        ("view", "object", {"additionalProperties": {"type": "number"}}, "view"),
    ],
)
def test_lists_and_tables_are_typed(
    text: str, kind: str, part: dict[str, Any], value: Any, chromium: Any, server: Server
) -> None:
    with visit(chromium, server.address) as page:
        [[found, said]] = page.evaluate(READ, [[text], kind, part])
    assert found == value
    assert isinstance(value, str) or said == text.rstrip() + " " * text.endswith(" ")
