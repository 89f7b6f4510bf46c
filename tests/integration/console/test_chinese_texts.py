"""The service's English in Chinese, as the console finds it: each sentence by what stands between its values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.console.browsing import browser, visit
from tests.integration.serving.running import Server, serving
from tests.patience import until

import glassworks
from glassworks.packaging.bundle import Bundle
from glassworks.registry import Registry

STATIC = Path(glassworks.__file__).parent / "console" / "static"
CATALOG: dict[str, str] = json.loads((STATIC / "i18n" / "service" / "zh-CN.json").read_text(encoding="utf-8"))
LOAD = """async () => {
  const said = await import(new URL("service_texts.js", document.querySelector('script[type="module"]').src));
  said.spoken("anything at all");
  window.worded = said.worded;
}"""
CARD = """async (text) => {
  const base = document.querySelector('script[type="module"]').src;
  const { Markdown } = await import(new URL("pages/models/markdown.js", base));
  const { render, h } = await import(new URL("view.js", base));
  const box = document.createElement("div");
  render(h(Markdown, { text }), box);
  return box.innerHTML;
}"""
CHINESE: dict[str, Any] = {"locale": "zh-CN"}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Bundle) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("chinese")
    Registry.open({"GLASSWORKS_HOME": str(home)}).publish(tiny_bundle)
    with serving(home, "--no-grpc") as running:
        yield running


def load(page: Any) -> None:
    """Until the catalog is there: then what it lacks is known to be English."""
    page.evaluate(LOAD)
    until(lambda: not page.evaluate("window.worded('frobnicate the widget').known"))


def values(text: str) -> list[str]:
    """What nothing else says, one for each value; of two with nothing between them the first has all."""
    parts = text.split("{}")
    return [f"w{number}" if number == 0 or parts[number] else "" for number in range(len(parts) - 1)]


def filled(text: str) -> str:
    """A sentence with its values."""
    for value in values(text):
        text = text.replace("{}", value, 1)
    return text


def test_each_sentence_is_found_with_its_values(chromium: Any, server: Server) -> None:
    asked = [filled(text) for text in CATALOG]
    with visit(chromium, server.address, **CHINESE) as page:
        load(page)
        said = page.evaluate("asked => asked.map((each) => window.worded(each).text)", asked)
    wanted = [
        re.sub(r"\{(\d)\}", lambda found: values(text)[int(found[1])], chinese)  # noqa: B023
        for text, chinese in CATALOG.items()
    ]
    assert {a: s for a, s, w in zip(asked, said, wanted, strict=True) if s != w} == {}


@pytest.mark.parametrize(
    ("text", "chinese"),
    [
        ("revision 2 cannot be restored: there is no model 'a b'", "第 2 次更改无法恢复：没有模型“a b”"),
        ("'评论.csv' holds no row", "“评论.csv”中没有数据行"),
        ("there is no kind 'x'; try again", "没有种类“x”；请重试"),
        ("found: 3 of 9 pictures are not square", "检查结果：9 张图片中有 3 张不是正方形"),
        ("converted from GB18030; semicolons became commas", "已由 GB18030 编码转换为 UTF-8；分号已改为逗号"),
        ("frobnicate the widget", "frobnicate the widget"),
    ],
)
def test_values_and_parts_are_said_too(chromium: Any, server: Server, text: str, chinese: str) -> None:
    with visit(chromium, server.address, **CHINESE) as page:
        load(page)
        assert page.evaluate("text => window.worded(text).text", text) == chinese


def test_a_problem_is_chinese_and_what_nobody_translated_is_marked(chromium: Any, server: Server) -> None:
    with visit(chromium, server.address, "/#/models/nothing", **CHINESE) as page:
        page.wait_for_selector(".problem:has-text('没有模型“nothing”')")
        assert page.locator(".foreign").count() == 0
    with visit(chromium, server.address, "/#/models/tiny-convnet/1?tab=card", **CHINESE) as page:
        page.wait_for_selector("h3:has-text('质量如何')")
        shown = page.inner_text(".markdown")
        assert "在测试集上用提供服务的模型测得。" in shown
        assert "Measured on" not in shown


def test_a_warning_of_several_sentences_is_chinese_in_a_card(chromium: Any, server: Server) -> None:
    warned = (
        "**Warning: the model is no better than one answer to everything (most frequent class): accuracy 0.5 against "
        '0.5 on the same 4 test examples; training.class_weights = "balanced" learns rare classes; look at the data '
        "with 'glassworks data check', train longer or otherwise ([training], [model]), and do not serve it before it "
        "is better.**"
    )
    with visit(chromium, server.address, **CHINESE) as page:
        load(page)
        shown = page.evaluate(CARD, warned)
    assert shown.startswith('<div class="markdown"><p><strong>警告：模型并不优于对所有输入给同一答案（最常见的类别）')
    assert shown.endswith("在改善之前不要投入服务。</strong></p></div>")
    assert "learns rare classes" not in shown
