"""The console by keyboard alone, and as programs see it that check what screen readers need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.integration.console.browsing import browser, visit
from tests.integration.serving.running import Server, serving
from tests.patience import until

from glassworks.packaging.bundle import Bundle
from glassworks.registry import Registry
from glassworks.runs import Runs

GRAVE = ("serious", "critical")
JOB = {"name": "bars", "family": "convnet", "data": {"source": "sample:digits"}}
MOST_TABS = 60
FOCUSED = "document.activeElement.closest('main') && document.activeElement.textContent.trim()"
MAIN_ACTIONS = {
    "home": ("Try it", "try/tiny-convnet"),
    "data": ("Train", "train?data="),
    "data/sample%3Adigits": ("Train a model on this", "train?data="),
    "train": ("Open the job file", "train?job=new"),
    "train?job=new": ("Train and optimize", "runs/"),
    "runs": ("New training", "train"),
    "models/tiny-convnet/1": ("Try it", "try/tiny-convnet"),
    "optimize/tiny-convnet": ("Search", "run="),
    "serve": ("tiny-convnet", "serve/tiny-convnet"),
}
"""What is reached by Tab and set off by Enter, and where that leads."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Bundle) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("accessible")
    registry = Registry.open({"GLASSWORKS_HOME": str(home)})
    for _ in range(2):
        registry.publish(tiny_bundle)
    registry.set_alias(tiny_bundle.manifest.name, 1, "champion")
    Runs(registry).submit("train", {"job": JOB})
    with serving(home, "--no-grpc") as running:
        yield running


def pages(server: Server) -> list[str]:
    """Each page, and each page of one thing."""
    run = server.get("/api/v1/runs")["items"][-1]["id"]
    ones = ("models/tiny-convnet", "models/tiny-convnet/compare?a=1&b=2", f"runs/{run}", f"runs/compare?ids={run}")
    return [*MAIN_ACTIONS, "models", "try", "try/tiny-convnet", "optimize", "serve/tiny-convnet", "keys", *ones]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_has_a_grave_fault(chromium: Any, server: Server, theme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with visit(chromium, server.address, color_scheme=theme, reduced_motion="reduce") as page:
        faults = []
        for path in pages(server):
            page.goto(f"http://{server.address}/#/{path}")
            page.wait_for_selector("main h1")
            until(lambda: page.locator(".skeleton").count() == 0, f"the contents of {path}")
            faults += grave(axe.run(page), path)
        assert faults == []
        page.evaluate("document.querySelector('main').append(document.createElement('img'))")
        assert [each[1] for each in grave(axe.run(page), "with a picture that has no text")] == ["image-alt"]


def grave(found: Any, path: str) -> list[tuple[str, str, str, str]]:
    """Where, what, and why."""
    return [
        (path, each["id"], node["html"][:160], node["failureSummary"])
        for each in found.response["violations"]
        if each["impact"] in GRAVE
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("path", MAIN_ACTIONS)
def test_the_keyboard_reaches_what_a_page_is_for(chromium: Any, server: Server, path: str) -> None:
    name, leads = MAIN_ACTIONS[path]
    with visit(chromium, server.address, f"/#/{path}") as page:
        page.wait_for_selector("main h1")
        wanted = page.locator("main").locator("a, button").filter(has_text=name).and_(page.locator(":not(:disabled)"))
        until(lambda: wanted.count() > 0, name)
        for _ in range(MOST_TABS):
            page.keyboard.press("Tab")
            focused = page.evaluate(FOCUSED)
            if focused == name:
                break
        else:
            pytest.fail(f"Tab does not reach '{name}'")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: leads in url)
