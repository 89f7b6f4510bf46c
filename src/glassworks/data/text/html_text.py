"""What a page of HTML says: its text, block by block, without scripts and styles."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_SILENT = frozenset({"script", "style", "template", "noscript", "svg"})
_BLOCKS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "br", "caption", "dd", "div", "dl", "dt", "figcaption"),
        *("figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav"),
        *("ol", "option", "p", "pre", "section", "table", "td", "th", "title", "tr", "ul"),
    }
)
_CHARSET = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?\s*([A-Za-z0-9_:.-]{1,40})""", re.IGNORECASE)
_HEAD = 4096
_BLANKS, _LINES = re.compile(r"[ \t\r\f\v]*\n[ \t\r\f\v]*"), re.compile(r"\n{3,}")


def declared_encoding(content: bytes) -> str:
    """The encoding that a page says at its beginning; empty where it says none."""
    found = _CHARSET.search(content[:_HEAD])
    return found.group(1).decode("ascii") if found else ""


def text_of_html(page: str) -> str:
    """The text of a page; what stands in blocks of their own is on lines of their own."""
    parser = _Text()
    parser.feed(page)
    parser.close()
    return _LINES.sub("\n\n", _BLANKS.sub("\n", "".join(parser.parts))).strip()


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in _SILENT
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._silent = max(0, self._silent - (tag in _SILENT))
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)
