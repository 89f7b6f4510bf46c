"""Renders the explanation of a text for people: shaded words on a page (HTML) and in a terminal."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from string import Template
from typing import TYPE_CHECKING

import numpy as np

from glassworks.printable import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FAINT, _STRONG = 0.15, 0.6
_STRONGEST = 5

_PAGE = Template("""<!doctype html>
<html lang="$language"><head><meta charset="utf-8"><title>$title</title><style>
body { font: 18px/1.9 system-ui, "Noto Sans SC", sans-serif; max-width: 46em; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.2em } p.text { white-space: pre-wrap; overflow-wrap: anywhere }
span { border-radius: 3px; padding: 1px 0 } small { color: #555; line-height: 1.5 }
</style></head><body>
<h1>$title</h1>
<p class="text">$text</p>
<p><small>$note</small></p>
</body></html>
""")


def strengths(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Values by word, scaled to [-1, 1] by the largest; all zero stays zero."""
    flat = values.ravel().astype(np.float64)
    largest = float(np.abs(flat).max()) if flat.size else 0.0
    return flat / largest if largest > 0 else flat


def shaded_html(
    text: str, spans: Sequence[tuple[int, int]], values: NDArray[np.float32], title: str, notes: Mapping[str, str]
) -> bytes:
    """A page of its own, with no script and nothing from elsewhere: red words speak for the label, blue ones against.

    A word's value stands in its tooltip. The text is the original one, character by character.
    """
    words = []
    for (begin, end), strength, value in zip(spans, strengths(values), values.ravel(), strict=True):
        color = "214,39,40" if strength > 0 else "31,119,180"
        word = text[begin:end].rstrip()  # the spaces behind a word are not shaded
        rest = text[begin + len(word) : end]
        words.append(
            f'<span style="background:rgba({color},{abs(strength) * 0.75:.2f})" title="{value:+.4f}">'
            f"{html.escape(printable(word))}</span>{printable(rest)}"
        )
    note = " · ".join(f"{html.escape(name)}: {html.escape(value)}" for name, value in notes.items())
    chinese = any("\u4e00" <= character <= "\u9fff" for character in text)
    page = _PAGE.substitute(
        language="zh" if chinese else "en", title=html.escape(title), text="".join(words), note=note
    )
    return page.encode("utf-8", "replace")


def shaded_words(text: str, spans: Sequence[tuple[int, int]], values: NDArray[np.float32]) -> list[tuple[str, str]]:
    """(words, style) for a terminal: what matters much is reversed, what matters little is plain."""
    found = []
    for (begin, end), strength in zip(spans, strengths(values), strict=True):
        color = "red" if strength > 0 else "blue"
        size = abs(strength)
        style = "" if size < _FAINT else color if size < _STRONG else f"bold reverse {color}"
        found.append((printable(text[begin:end]), style))
    return found


def strongest(text: str, spans: Sequence[tuple[int, int]], values: NDArray[np.float32]) -> str:
    """The words that matter most with their values, as a line: colors do not reach a file."""
    flat = values.ravel()
    order = [index for index in np.argsort(-np.abs(flat), kind="stable")[:_STRONGEST].tolist() if flat[index]]
    words = (f"{printable(text[spans[index][0] : spans[index][1]].strip())} {flat[index]:+.4f}" for index in order)
    return ", ".join(words) or "no word counts"
