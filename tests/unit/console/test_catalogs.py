"""The console's texts: the same in both languages, and nowhere but in catalogs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

STATIC = Path(__file__).parents[3] / "src" / "glassworks" / "console" / "static"
CATALOGS = sorted(path.parent for path in STATIC.rglob("en.json"))
SOURCES = sorted(path for path in STATIC.rglob("*.js") if "vendor" not in path.parts)
_HOLE = re.compile(r"\{(\w+)\}")
_USED = re.compile(r"\bt\(\s*\"([\w.-]+)\"")
_BUILT = re.compile(r"\b(?:t|has)\(\s*`([\w.-]*)\$\{")
_ELEMENT_TEXT = re.compile(r">\s*([A-Za-z][^<>$`{}=;]{2,}?)\s*(?:<|\$)")
_SAID = re.compile(r"\b(?:title|label|placeholder|alt|aria-label|lead|text)=\"([^\"$]+)\"")
NAMES = {"Glassworks", "API"}
"""Names that are the same in every language."""


def catalog(folder: Path, language: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{language}.json").read_text(encoding="utf-8"))
    return found


def holes(text: str | dict[str, str]) -> set[str]:
    return set(_HOLE.findall(text if isinstance(text, str) else " ".join(text.values())))


def literals(text: str) -> Iterator[str]:
    """Words between elements or in attributes that people read, in the templates of a module."""
    for template in re.findall(r"html`(.*?)`(?![\w.])", text, re.DOTALL):
        for found in (*_ELEMENT_TEXT.findall(template), *_SAID.findall(template)):
            if found.strip() not in NAMES:
                yield found


@pytest.mark.parametrize("folder", CATALOGS, ids=lambda folder: folder.name)
def test_both_languages_say_the_same(folder: Path) -> None:
    english, chinese = catalog(folder, "en"), catalog(folder, "zh-CN")
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert holes(text) == holes(chinese[key]), key
        assert isinstance(text, dict) == isinstance(chinese[key], dict), key
        assert not isinstance(text, dict) or {"one", "other"} == set(text), key
        assert not isinstance(chinese[key], dict) or {"other"} == set(chinese[key]), key


@pytest.mark.parametrize("folder", CATALOGS, ids=lambda folder: folder.name)
def test_the_keys_of_a_page_begin_with_its_name(folder: Path) -> None:
    if folder.parent.name == "pages":
        assert [key for key in catalog(folder, "en") if not key.startswith(f"{folder.name}.")] == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.relative_to(STATIC)))
def test_every_text_is_there_and_none_is_written_in_a_module(source: Path) -> None:
    known = set(catalog(STATIC / "i18n", "en"))
    if "pages" in source.parts and source.parent.name != "pages":
        known |= set(catalog(source.parent, "en"))
    text = source.read_text(encoding="utf-8")
    assert [key for key in _USED.findall(text) if key not in known] == []
    assert [start for start in _BUILT.findall(text) if start and not any(key.startswith(start) for key in known)] == []
    assert list(literals(text)) == []


def test_a_literal_is_seen() -> None:
    assert list(literals('html`<p class="a">Hello there</p>`')) == ["Hello there"]
    assert list(literals('html`<input placeholder="your name" />`')) == ["your name"]
    assert list(literals('html`<p>${t("a.b")}</p>`')) == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.relative_to(STATIC)))
def test_modules_are_short_and_import_only_what_is_here(source: Path) -> None:
    text = source.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    code = re.sub(r"/\*\*.*?\*/", "", text, flags=re.DOTALL)
    for path in re.findall(r"(?:from|import\()\s*\"([^\"]+)\"", code):
        assert path.startswith(".")
        assert (source.parent / path).resolve().is_file(), path
    assert not re.search(r"https?://(?!www\.w3\.org/)", text)
