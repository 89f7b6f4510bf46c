"""Every sentence that the service can say has its text in both languages."""

from __future__ import annotations

import json
import re
import string
from pathlib import Path
from typing import Any

import pytest

from glassworks.sentences import TEXTS, Sentence, sentence

PAGES = Path(__file__).parents[3] / "src" / "glassworks" / "console" / "static" / "pages"
PAGE_OF = {"finding": "data", "reason": "train", "need": "home"}


def holes(text: str | dict[str, str]) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text if isinstance(text, str) else " ".join(text.values())))


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize(("group", "page"), PAGE_OF.items())
def test_every_code_is_in_the_catalog_of_its_page(group: str, page: str, language: str) -> None:
    catalog: dict[str, Any] = json.loads((PAGES / page / f"{language}.json").read_text(encoding="utf-8"))
    said = {code: text for code, text in TEXTS.items() if code.partition(".")[0] == group}
    prefix = f"{page}.{group}."
    assert {f"{page}.{code}" for code in said} == {key for key in catalog if key.startswith(prefix)}
    for code, text in said.items():
        fields = {field for _, field, _, _ in string.Formatter().parse(text) if field}
        known = fields | ({"subject", "host", "name", "n", "kind", "about"} if group == "need" else set())
        assert holes(catalog[f"{page}.{code}"]) <= known, code


def test_every_code_belongs_to_a_page() -> None:
    assert {code.partition(".")[0] for code in TEXTS} == set(PAGE_OF)


def test_a_sentence_has_its_values_beside_it() -> None:
    found = sentence("finding.not-square", n=3, total=2000)
    assert str(found) == "3 of 2,000 pictures are not square"
    assert found.model_dump() == {"code": "finding.not-square", "values": {"n": 3, "total": 2000}, "text": str(found)}
    assert Sentence(text="it is full").code == ""
