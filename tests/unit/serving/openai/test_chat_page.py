"""The chat on the API page, in a real browser: an answer as it comes, a second turn, and an error in words."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from tests.integration.serving.running import Server
from tests.patience import PATIENCE_S

CHROMIUM = shutil.which("chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module", params=["en-US", "zh-CN"])
def page(request: pytest.FixtureRequest, language_server: Server) -> Iterator[Any]:
    """The page of the server with the tiny model; nothing but that server may be asked."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    address = f"http://{language_server.address}"
    with playwright.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened = browser.new_page(locale=request.param)
        opened.set_default_timeout(1000 * PATIENCE_S)
        opened.route(lambda url: not url.startswith(address), lambda route: route.abort())
        opened.goto(f"{address}/docs")
        yield opened
        browser.close()


def test_a_conversation(page: Any) -> None:
    talk = page.locator("section", has=page.locator("h2", has_text="tiny-language-model"))
    field, send, said = talk.locator("textarea"), talk.locator("button.go"), talk.locator(".talk p")
    word = send.text_content()
    field.fill("Hi")
    field.press("Enter")
    talk.locator("p.soft", has_text="8").first.wait_for()  # eight tokens were answered
    page.get_by_role("button", name=word, exact=True).wait_for()
    assert said.nth(0).text_content() == "Hi"
    assert said.nth(1).locator("span[title$='%']").count() >= 1
    field.fill("<|im_end|> <b>bold</b>")
    send.click()
    said.nth(2).wait_for()
    assert said.nth(2).text_content() == "<|im_end|> <b>bold</b>"
    assert said.nth(2).locator("b").count() == 0
    page.get_by_role("button", name=word, exact=True).wait_for()
    field.fill("x" * 2000)  # more than the context holds
    send.click()
    talk.locator(".talk .wrong", has_text="context_length_exceeded").wait_for()
    talk.locator("button[type=button]").last.click()
    assert said.count() == 0


def test_the_console_shows_why_word_by_word(page: Any, language_server: Server) -> None:
    page.goto(f"http://{language_server.address}/#/try/tiny-language-model")
    field = page.locator("form textarea").first
    field.fill("the red cat")
    field.press("Enter")
    page.locator(".turn.assistant button").click()
    said, turns, words = page.locator(".why-said"), page.locator(".turns dd"), page.locator(".answer-words button")
    words.first.wait_for()
    assert turns.all_text_contents() == ["the red cat"]
    whole = said.text_content()
    words.first.focus()
    page.keyboard.press("ArrowRight")
    second = words.nth(1)
    assert second.evaluate("element => element === document.activeElement")
    assert said.text_content() != whole
    page.keyboard.press("Enter")
    assert second.get_attribute("aria-pressed") == "true"
    page.keyboard.press("Escape")
    assert second.get_attribute("aria-pressed") == "false"
    page.locator("section.card header, section.card .card-head").nth(1).locator("button").click()
    said.wait_for(state="detached")
