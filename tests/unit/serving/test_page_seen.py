"""The API page in a real browser, in both languages: what people ask of models without classes, and what they see."""

from __future__ import annotations

import asyncio
import shlex
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from tests.patience import PATIENCE_S
from tests.unit.recommendation import shops
from tests.unit.serving.wire import ask, service

from glassworks.catalog import get
from glassworks.contracts import Family
from glassworks.flow import train
from glassworks.packaging.bundle import Bundle, read_bundle
from glassworks.progress import Silent
from glassworks.registry import Registry
from glassworks.serving.core.models import Models

CHROMIUM = shutil.which("chromium")
ADDRESS = "http://glassworks.test"
WARNING = "no better than <b>one answer</b>"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Models]:
    """A recommender with a warning, and a text encoder."""
    folder = tmp_path_factory.mktemp("seen")
    shop = read_bundle(shops.bundle(folder / "shop"))
    manifest = shop.manifest.model_copy(update={"warnings": (WARNING,)})
    job = get(Family, "text_encoder").tiny(folder)
    encoder = train(job, Registry.open({"GLASSWORKS_HOME": str(folder / "home")}), Silent()).bundle
    served = Models()
    served.load(Bundle(folder=shop.folder, manifest=manifest, sha256=shop.sha256), "shop", "1")
    served.load(encoder, "encoder", "1")
    yield served
    served.close()


@pytest.fixture(scope="module", params=["en-US", "zh-CN"])
def page(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The page in Chromium; its requests are answered by the service with no socket between."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    served = service(request.getfixturevalue("models"))  # not trained where it cannot be seen

    def answer(route: Any) -> None:
        asked = route.request
        path, body = asked.url.removeprefix(ADDRESS), asked.post_data_buffer or b""
        # The browser's own loop runs in this thread.
        reply = beside.submit(lambda: asyncio.run(ask(served, asked.method, path, body))).result(PATIENCE_S)
        assert reply is not None
        route.fulfill(status=reply.status, headers=dict(reply.headers), body=reply.body)

    with ThreadPoolExecutor(1) as beside, playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        found, problems = browser.new_context(locale=request.param).new_page(), list[str]()
        found.set_default_timeout(1000 * PATIENCE_S)
        found.on("pageerror", lambda error: problems.append(str(error)))
        found.on("console", lambda message: problems.append(message.text))  # as of a broken policy
        found.route("**/*", answer)
        found.goto(f"{ADDRESS}/docs")
        yield found
        browser.close()
        assert problems == []


def section(page: Any, name: str) -> Any:
    return page.locator("section", has=page.locator("h2", has_text=name))


def shown(page: Any, name: str, text: str) -> str:
    """What the form answers."""
    part = section(page, name)
    part.locator("textarea").fill(text)
    part.locator("button").click()
    part.locator(".answer > *").first.wait_for()
    assert part.locator(".answer .wrong").all_inner_texts() == []
    found: str = part.locator(".answer").inner_text()
    assert "undefined" not in found
    return found


def test_recommendations_are_shown_with_their_reasons(page: Any) -> None:
    text = shown(page, "shop", '{"history": [0, 10], "k": 3}')
    answer = section(page, "shop").locator(".answer")
    assert answer.locator("td:first-child").count() == 3
    assert all(each.startswith("Title ") for each in answer.locator("td:first-child").all_inner_texts())
    reasons = {" ".join(each.split()[:2]) for each in answer.locator(".bar").all_inner_texts()}
    assert reasons
    assert reasons <= {"Title 0", "Title 1"}
    assert ("Reasons for" in text) != ("的理由" in text)
    shown(page, "shop", section(page, "shop").locator("textarea").get_attribute("placeholder"))
    answer.locator("td:first-child").nth(4).wait_for()  # the example asks for five


def test_the_example_of_a_recommender_is_understood(page: Any) -> None:
    for verb, command in zip(("infer", "explain"), section(page, "shop").locator("pre").all_inner_texts(), strict=True):
        _, _, address, _, body = shlex.split(command)
        assert address == f"{ADDRESS}/v2/models/shop/{verb}"
        assert msgspec.json.decode(msgspec.json.decode(body)["inputs"][0]["data"][0]) == {"user": "...", "k": 5}


def test_a_vector_is_no_table_of_classes(page: Any) -> None:
    text = shown(page, "encoder", "the book arrived")
    assert "%" not in text
    assert section(page, "encoder").locator(".answer .bar").count() == 0
    (title,) = (line for line in text.splitlines() if "vector" in line or "向量" in line)
    assert any(each.isdecimal() and int(each) > 1 for each in title.split())


def test_a_warning_stands_beside_the_metrics(page: Any) -> None:
    (text,) = section(page, "shop").locator("p.wrong").all_inner_texts()
    assert text in (f"Warning: {WARNING}", f"警告: {WARNING}")
    assert section(page, "encoder").locator("p.wrong").count() == 0


def test_how_far_deletion_beats_chance_is_said_as_it_is(page: Any) -> None:
    below, chance, above = page.evaluate(
        "[-2.2, 0.7, 2.6].map((z) => grade({ method: 'm', faithfulness_z: z })[2].textContent)"
    )
    assert "2.2" in below
    assert "does not beat" in below or "不优于" in below
    assert "cannot be told from chance" in chance or "无法区分" in chance
    assert "beats random orders by 2.6" in above or "优于随机顺序 2.6" in above


def test_both_languages_have_every_text(page: Any) -> None:
    english, chinese = page.evaluate("[texts.en, texts.zh].map((each) => Object.keys(each))")
    assert english == chinese
