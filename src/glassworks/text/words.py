"""Words of a text in any language, as explanations, the n-gram baseline and vocabularies see them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

_HAN = r"\u3005\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_PARTS = re.compile(r"\s+|[^\s\u3000-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]+|\S")
"""Blanks, what stands between blanks and Chinese or Japanese punctuation, and that punctuation."""
_OTHER = re.compile(rf"(?![A-Za-z\uff21-\uff5a{_HAN}])[^\W\d_]|[\u0300-\u036f]")
"""A letter that is neither ASCII nor Chinese, or an accent of its own."""
_LOCALE = "en"
"""Of ICU; word boundaries hardly depend on it (a colon in Finnish and Swedish)."""


def cut_words(text: str) -> list[str]:
    """Words, and what stands between them; together they are the text.

    ASCII and Chinese are cut by jieba (which keeps `C++` and `e-mail` whole), everything else by ICU:
    by the rules of Unicode (UAX 29), and by dictionaries in Japanese, Thai, Lao, Khmer and Burmese, which have no
    blanks between words.
    """
    import rjieba

    if not _OTHER.search(text):
        return list(rjieba.cut(text))
    found: list[str] = []
    for other, parts in itertools.groupby(_kinds(text), lambda each: each[1]):
        run = "".join(part for part, _ in parts)
        found += _by_unicode(run) if other else rjieba.cut(run)
    return found


def word_spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of each word with the blanks behind it; together they are the text.

    What people see as one sign is never cut: a letter with its accents or vowel signs, an emoji with its color.
    """
    whole = None if text.isascii() else _sign_ends(text)
    spans: list[tuple[int, int]] = []
    begin = end = 0
    for word in cut_words(text):
        end += len(word)
        if whole is not None and end not in whole:
            continue
        if spans and text[begin:end].isspace():
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((begin, end))
        begin = end
    return spans or [(0, len(text))]


def _kinds(text: str) -> Iterator[tuple[str, bool]]:
    """Parts of the text, and whether ICU cuts them; blanks go with what stands before them."""
    other = False
    for match in _PARTS.finditer(text):
        part = match.group()
        if not part.isspace():
            other = _OTHER.search(part) is not None
        yield part, other


def _by_unicode(text: str) -> list[str]:
    from icu4py.breakers import WordBreaker

    return list(WordBreaker(text, _LOCALE))


def _sign_ends(text: str) -> set[int]:
    """Where the signs end that people see as one (grapheme clusters of UAX 29)."""
    from icu4py.breakers import CharacterBreaker

    return set(itertools.accumulate(map(len, CharacterBreaker(text, _LOCALE))))
