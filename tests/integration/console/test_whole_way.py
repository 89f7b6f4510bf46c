"""From pictures of one's own to an explained answer, a better version, a split and back: all of it in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.console.browsing import browser, visit
from tests.integration.console.person import FILES, Person, pictures, zipped
from tests.integration.serving.running import Server, serving
from tests.patience import until

CLICKS = 5
"""At most, from opening the console to an explained answer about a picture of one's own."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("whole-way"), "--no-grpc", "--workers", "1") as running:
        yield running


@pytest.mark.parametrize(("locale", "language", "seed"), [("en-US", "en", 0), ("zh-CN", "zh-CN", 1)])
def test_the_whole_way(chromium: Any, server: Server, tmp_path: Path, locale: str, language: str, seed: int) -> None:
    classes = pictures(tmp_path, seed=seed)
    own = classes["across"].pop()
    with visit(chromium, server.address, locale=locale) as page:
        person = Person(page, language)
        brings_pictures(person, f"bars-{seed}.zip", zipped(classes))
        trains(person)
        asks_about(person, own)
        assert person.clicks <= CLICKS
        optimizes(person, f"bars-{seed}")
        splits_and_goes_back(person, server, f"bars-{seed}")


def brings_pictures(person: Person, name: str, content: bytes) -> None:
    person.click("link", "nav.data", within="nav")
    person.drop(".drop", name, content)
    person.page.wait_for_url("**/#/data/*")


def trains(person: Person) -> None:
    """They watch a curve move, and the run succeed."""
    page = person.page
    person.click("link", "data.train")
    person.click("button", "train.start")
    page.wait_for_url("**/#/runs/*")
    loss = page.locator(".chart .plot").first
    said = loss.get_attribute("aria-label")
    until(lambda: loss.get_attribute("aria-label") != said, "a curve's moving")
    page.wait_for_selector(".badge.succeeded")


def asks_about(person: Person, own: bytes) -> None:
    page = person.page
    person.click("link", "runs.try")
    person.click("tab", "try.way.file")
    page.set_input_files(f"main {FILES}", {"name": "mine.png", "mimeType": "image/png", "buffer": own})
    assert page.inner_text(".answer .verdict-line").startswith("across")
    page.wait_for_selector("canvas.heat")
    drawn = "[...document.querySelectorAll('canvas.heat')].some(({width, height}) => width && height)"
    assert page.evaluate(drawn)


def optimizes(person: Person, model: str) -> None:
    """A search, its picture and the version that it publishes."""
    page = person.page
    person.click("link", "nav.optimize", within="nav")
    page.get_by_role("link", name=model).click()
    page.get_by_label(person.reads("optimize.budget")).fill("0")
    person.click("button", "optimize.start")
    page.wait_for_url("**run=*")
    page.wait_for_selector(".trade-off .point")
    page.wait_for_selector(".badge.succeeded")
    assert page.inner_text(".made").startswith(person.reads("optimize.made", model=f"{model}@2"))


def splits_and_goes_back(person: Person, server: Server, model: str) -> None:
    """Two versions answer, then one again; each change is written down."""
    page = person.page
    changes = list[dict[str, str]]()
    page.on("request", lambda asked: changes.append(asked.all_headers()) if asked.method == "PUT" else None)
    person.click("link", "optimize.made.serve")
    page.locator(".split input[type=range]").first.fill("30")
    person.click("button", "serve.apply")
    page.wait_for_selector(f".revisions li:has-text('{person.reads('serve.part', version=2, share=30)}')")
    assert shares(server, model) == {"1": 70.0, "2": 30.0}
    assert [each["if-match"] for each in changes if "if-match" in each]
    person.click("button", "serve.back")
    person.click("button", "serve.back", within="dialog")
    until(lambda: shares(server, model) == {"1": 100.0}, "the way back")
    page.wait_for_selector(f".revisions li:first-child:has-text('{person.reads('serve.whole', version=1)}')")


def shares(server: Server, model: str) -> Any:
    return server.get(f"/api/v1/deployments/{model}")["shares"]
