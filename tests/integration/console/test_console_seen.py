"""The console of a running service, as people see it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.console.browsing import browser, visit
from tests.integration.serving.running import Server, serving
from tests.patience import until

from glassworks.registry import Registry
from glassworks.runs import Runs
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.keys import KeyStore

PAGES = ("home", "data", "train", "runs", "models", "try", "optimize", "serve", "keys")
WRONG = 'name = "digits"  # mine\nfamily = "convnet"\n\n[data]\nsource = "sample:digits"\n\n[training]\nepochz = 3\n'


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("console")
    runs = Runs(Registry.open({"GLASSWORKS_HOME": str(folder)}))
    for seed in range(250):
        job = {"name": "digits", "family": "convnet", "data": {"source": "sample:digits", "seed": seed}}
        runs.submit("train", {"job": job})
    return folder


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    with serving(home) as server:
        yield server


@pytest.mark.parametrize(("language", "width", "theme"), [("en-US", 1280, "light"), ("zh-CN", 390, "dark")])
def test_every_page_opens_in_each_language_and_on_a_phone(
    chromium: Any, server: Server, language: str, width: int, theme: str
) -> None:
    with visit(chromium, server.address, width=width, locale=language, color_scheme=theme) as page:
        for name in PAGES:
            page.goto(f"http://{server.address}/#/{name}")
            page.wait_for_selector("main h1")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
            title = page.inner_text("main h1")
            assert re.search("[一-鿿]" if language == "zh-CN" else "[A-Za-z]", title), name
            assert not re.search(r"\b\w+\.\w+\.\w+\b", title), name


def test_a_job_is_corrected_where_it_is_wrong_started_and_stopped(chromium: Any, server: Server) -> None:
    with visit(chromium, server.address, "/#/train?job=new") as page:
        page.wait_for_selector(".verdict-line.valid")
        file = page.locator(".code-area textarea")
        file.fill(WRONG)
        page.wait_for_selector(".gutter span.wrong")
        assert page.inner_text(".gutter span.wrong") == "8"
        assert "training.epochs" in page.inner_text(".problems")
        file.fill(WRONG.replace("epochz", "epochs"))
        page.wait_for_selector(".verdict-line.valid")
        epochs = page.get_by_label("Epochs")
        until(lambda: epochs.input_value() == "3", "the form's following the file")
        epochs.fill("0")
        page.wait_for_selector(".field.wrong .fault")
        epochs.fill("2")
        page.wait_for_selector(".verdict-line.valid")
        assert file.input_value() == WRONG.replace("epochz = 3", "epochs = 2")
        page.get_by_role("button", name="Only train").click()
        page.wait_for_selector(".badge.queued")
        page.get_by_role("button", name="Stop").click()
        page.locator("dialog").get_by_role("button", name="Stop").click()
        page.wait_for_selector(".badge.cancelled")
        page.get_by_role("button", name="Go on").click()
        page.wait_for_selector(".badge.queued")


def test_a_long_list_has_few_rows_and_shows_all(chromium: Any, server: Server) -> None:
    with visit(chromium, server.address, "/#/runs") as page:
        page.wait_for_selector(".table.long tbody tr")
        end = "document.querySelector('.table.long').scrollTop = 1e9"
        until(lambda: _rows(page, end) >= 250, "the last run")
        assert page.locator(".table.long tbody tr").count() < 80


def test_a_restart_is_said_and_caught_up_with(chromium: Any, tmp_path: Path) -> None:
    runs = Runs(Registry.open({"GLASSWORKS_HOME": str(tmp_path)}))
    job = {"name": "before", "family": "convnet", "data": {"source": "sample:digits"}}
    runs.submit("train", {"job": job})
    with serving(tmp_path) as first, visit(chromium, first.address, "/#/runs") as page:
        page.wait_for_selector("text=before")
        first.process.kill()
        page.wait_for_selector(".connection.reconnecting")
        runs.submit("train", {"job": {**job, "name": "meanwhile"}})
        with serving(tmp_path, port=first.address.partition(":")[2]):
            page.wait_for_selector("text=meanwhile")
            page.wait_for_selector(".connection.live", state="attached")


def test_a_key_is_asked_for_and_what_it_may_not_do_is_not_offered(chromium: Any, tmp_path: Path) -> None:
    _, key = KeyStore(tmp_path, Clock()).create("vera", roles=("viewer",))
    with serving(tmp_path, "--keys", "on") as server, visit(chromium, server.address, "/#/train?job=new") as page:
        page.get_by_label("Access key").fill("gw_nothing")
        page.keyboard.press("Enter")
        page.wait_for_selector("dialog .note .mend")
        page.get_by_label("Access key").fill(key)
        page.keyboard.press("Enter")
        page.wait_for_selector(".verdict-line.valid")
        assert page.locator("dialog").count() == 0
        assert page.get_by_role("button", name="Train and optimize").is_disabled()
        assert key not in str(page.evaluate("[document.cookie, {...localStorage}, {...sessionStorage}]"))
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_selector("dialog")


def test_language_and_theme_are_kept(chromium: Any, server: Server) -> None:
    with visit(chromium, server.address) as page:
        page.get_by_label("Language").select_option("zh-CN")
        page.wait_for_selector("h1:text('首页')")
        page.get_by_role("button", name="深色主题").click()
        page.reload()
        page.wait_for_selector("h1:text('首页')")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert page.evaluate("document.documentElement.lang") == "zh-CN"


def test_the_keyboard_suffices(chromium: Any, server: Server) -> None:
    with visit(chromium, server.address) as page:
        page.wait_for_selector("main h1")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.tagName") == "H1"
        page.get_by_role("link", name="Runs", exact=True).first.focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("h1:text('Runs')")
        until(lambda: page.evaluate("document.activeElement.tagName") == "H1", "the focus on the page")


def _rows(page: Any, scroll: str) -> int:
    page.evaluate(scroll)
    last: str | None = page.locator(".table.long tbody tr[aria-rowindex]").last.get_attribute("aria-rowindex")
    return int(last or 0) - 1
