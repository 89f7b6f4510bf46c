"""The console in a real browser, which may ask nobody but the service under test."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from tests.patience import PATIENCE_S

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
EXPECTED = ("Failed to load resource",)
"""What Chromium writes of every answer that is an error, also of those that pages expect."""


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@contextlib.contextmanager
def visit(chromium: Any, address: str, path: str = "/", *, width: int = 1280, **more: Any) -> Iterator[Any]:
    """A page of the console; that anything failed in it, or asked anybody else, fails the test."""
    context = chromium.new_context(**{"viewport": {"width": width, "height": 844}, "locale": "en-US", **more})
    page, problems, others = context.new_page(), list[str](), list[str]()
    page.set_default_timeout(1000 * PATIENCE_S)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if line.type in ("error", "warning") else None)
    page.on("request", lambda asked: None if _ours(asked.url, address) else others.append(asked.url))
    page.goto(f"http://{address}{path}")
    yield page
    context.close()
    assert [problem for problem in problems if not problem.startswith(EXPECTED)] == []
    assert others == []


def _ours(url: str, address: str) -> bool:
    return url.startswith((f"http://{address}/", "blob:", "data:"))
