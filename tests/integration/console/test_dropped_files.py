"""What people drop on the page of data arrives: folders as archives, broken connections and all."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from tests.integration.serving.running import Server, serving

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium here")
FILES, FOLDER = "input[type=file]:not([webkitdirectory])", "input[webkitdirectory]"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("home"), "--no-grpc") as running:
        yield running


@pytest.fixture
def page(server: Server) -> Iterator[Page]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        context = browser.new_context(locale="en-US")
        found = context.new_page()
        found.goto(f"http://{server.address}/#/data")
        found.wait_for_selector(FILES, state="attached")
        yield found
        browser.close()


def pictures(folder: Path, *classes: str) -> Path:
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for index in range(4):
            shade = 40 * number + index
            Image.new("L", (12, 12), shade).save(folder / name / f"Grüße {index}.png")
    return folder


def arrived(page: Page, server: Server) -> dict[str, object]:
    page.wait_for_url("**/#/data/*")
    found: dict[str, object] = server.get(f"/api/v1/data/{page.url.rpartition('/')[2]}")
    return found


def test_a_folder_becomes_classes(page: Page, server: Server, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "pets", "cats", "dogs")
    (folder / ".DS_Store").write_bytes(b"\0")
    page.set_input_files(FOLDER, folder)
    found = arrived(page, server)
    assert found["name"] == "pets.zip"
    assert found["classes"] == [{"name": "cats", "examples": 4}, {"name": "dogs", "examples": 4}]


def test_the_same_folder_is_the_same_data(page: Page, server: Server, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "letters", "a", "b")
    page.set_input_files(FOLDER, folder)
    first = arrived(page, server)
    page.goto(f"http://{server.address}/#/data")
    page.set_input_files(FOLDER, folder)
    assert arrived(page, server)["id"] == first["id"]


def test_what_is_no_data_is_said_with_its_mend(page: Page, server: Server, tmp_path: Path) -> None:
    page.set_input_files(FOLDER, pictures(tmp_path / "lonely", "cats"))
    note = page.wait_for_selector(".sendings .note")
    assert note is not None
    assert "holds only one class" in note.inner_text()
    assert "another class" in note.inner_text()


def test_a_lost_connection_costs_nothing(page: Page, server: Server, tmp_path: Path) -> None:
    table = tmp_path / "reviews.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows([(f"what a long sentence number {row} is, of all", row % 2) for row in range(150_000)])
    broken = 0

    def fail(route: Route) -> None:
        nonlocal broken
        broken += 1
        if broken in (2, 3, 4, 5, 6):
            route.abort()
        else:
            route.continue_()

    page.route("**/api/v1/uploads/*?offset=*", fail)
    page.set_input_files(FILES, table)
    found = arrived(page, server)
    assert (found["examples"], found["size_bytes"]) == (150_000, table.stat().st_size)
    assert broken > 6


def test_a_card_is_shown_and_nothing_in_it_is_run(page: Page, server: Server) -> None:
    card = (
        "# a <b>card</b>\n\n| x | y |\n| --- | --- |\n| 1 \\| 2 | `c` |\n\n- one\n  - *two*\n\n1. **three**\n\n"
        "<img src=x onerror=alert(1)> [bad](javascript:alert(1)) [good](https://example.org/)\n"
    )
    shown = page.evaluate(
        """async (card) => {
            const root = document.querySelector('link[rel=modulepreload]').href.replace(/[^/]*$/, '');
            const { html, render } = await import(new URL('view.js', root));
            const { Markdown } = await import(new URL('pages/models/markdown.js', root));
            const box = document.createElement('div');
            render(html`<${Markdown} text=${card} />`, box);
            const all = (name) => [...box.querySelectorAll(name)];
            return { links: all('a').map((each) => each.href), images: all('img').length, text: box.textContent,
                     cells: all('td').map((each) => each.textContent), kinds: all('*').map((each) => each.localName) };
        }""",
        card,
    )
    assert shown["links"] == ["https://example.org/"]
    assert shown["images"] == 0
    assert shown["cells"] == ["1 | 2", "c"]
    assert "<b>card</b>" in shown["text"]
    assert {"em", "strong", "ol", "ul", "code", "table"} <= set(shown["kinds"]), json.dumps(shown)
