"""Shaded texts for people: nothing in a text becomes markup or steers a terminal, both languages are readable."""

from __future__ import annotations

import io
from html.parser import HTMLParser

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from glassworks.cli.drawing import as_file, draw
from glassworks.cli.tables import show_shaded
from glassworks.explanation.render_text import shaded_html, shaded_words, strengths, strongest
from glassworks.printable import printable
from glassworks.text.words import word_spans

EVIL = '<script>alert("1")</script> & 很好 </p>\x1b[31m\x00'


def values(count: int) -> NDArray[np.float32]:
    found = np.zeros((1, 1, count), np.float32)
    found[0, 0, 0], found[0, 0, -1] = 2.0, -1.0
    return found


class Reader(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.spans: list[dict[str, str | None]] = []
        self.text, self._inside = "", False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._inside = self._inside or (tag == "p" and ("class", "text") in attrs)
        if tag == "span" and self._inside:
            self.spans.append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        if tag == "p":
            self._inside = False

    def handle_data(self, data: str) -> None:
        self.text += data if self._inside else ""


def read(page: bytes) -> Reader:
    reader = Reader()
    reader.feed(page.decode("utf-8"))
    return reader


def test_a_text_never_becomes_markup() -> None:
    end = EVIL.index("</p>")  # whole tags in one span: cut apart they would be harmless by luck
    page = shaded_html(EVIL, [(0, end), (end, len(EVIL))], values(2), "<b>title</b>", {"<i>": "<script>"})
    reader = read(page)
    assert "script" not in reader.tags
    assert "i" not in reader.tags
    assert "b" not in reader.tags
    assert reader.text == printable(EVIL)
    assert b"http" not in page


def test_each_word_is_shaded_by_its_value_and_has_it_as_title() -> None:
    text = "very good book"
    reader = read(shaded_html(text, word_spans(text), values(3), "positive", {"method": "leave_one_out"}))
    first, middle, last = (span["style"] or "" for span in reader.spans)
    assert reader.text == text
    assert [span["title"] for span in reader.spans] == ["+2.0000", "+0.0000", "-1.0000"]
    assert first != last
    assert "0.00)" in middle or not middle


def test_the_language_of_the_page_is_that_of_the_text() -> None:
    for text, language in (("很好的书", 'lang="zh"'), ("a good book", 'lang="en"')):
        spans = word_spans(text)
        assert language in shaded_html(text, spans, values(len(spans)), "x", {}).decode()


def test_control_characters_are_shown_not_sent() -> None:
    assert printable("a\x1b[31m\x00\x7f\x9b\n\t好\ud800") == "a␛[31m␀␡␡\n\t好\ufffd"
    spans = word_spans(EVIL)
    drawn = "".join(part for part, _ in shaded_words(EVIL, spans, values(len(spans))))
    assert "\x1b" not in drawn
    assert drawn == printable(EVIL)


def test_strengths_keep_sign_and_zero() -> None:
    assert strengths(np.array([[[2.0, 0.0, -1.0]]], np.float32)).tolist() == [1.0, 0.0, -0.5]
    assert not strengths(np.zeros((1, 1, 3), np.float32)).any()
    assert strengths(np.zeros((1, 1, 0), np.float32)).size == 0


def test_what_matters_much_stands_out_and_what_does_not_is_plain() -> None:
    found = shaded_words("abcd", [(0, 1), (1, 2), (2, 3), (3, 4)], np.array([1.0, 0.3, 0.05, -1.0], np.float32))
    assert [style for _, style in found] == ["bold reverse red", "red", "", "bold reverse blue"]


def test_the_strongest_words_are_reported_with_their_values() -> None:
    spans = [(0, 2), (2, 4), (4, 6), (6, 9), (9, 11), (11, 13), (13, 14)]
    found = np.array([[[0.5, -2.0, 0.0, 1.0, 0.25, 0.125, 0.75]]], np.float32)
    assert strongest("a b c \x1bd e f g", spans, found) == "b -2.0000, ␛d +1.0000, g +0.7500, a +0.5000, e +0.2500"
    assert strongest("a b", [(0, 2), (2, 3)], np.array([0.0, 0.5], np.float32)) == "b +0.5000"
    assert strongest("a b", [(0, 2), (2, 3)], np.zeros(2, np.float32)) == "no word counts"


def printed(text: str, width: int, **options: bool) -> str:
    spans = word_spans(text)
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=True, color_system="standard", **options)  # type: ignore[arg-type]
    show_shaded([shaded_words(text, spans, values(len(spans)))], console)
    return stream.getvalue()


def test_chinese_takes_two_columns_and_long_texts_are_wrapped() -> None:
    from rich.cells import cell_len

    text = "这本书昨天送到包装和图片都很好孩子看了非常喜欢" * 4
    lines = printed(text, 40, no_color=True).splitlines()
    plain = [line.replace("\x1b[1;7m", "").replace("\x1b[0m", "") for line in lines]
    assert len(lines) > 4
    assert max(map(cell_len, plain)) <= 40
    assert "".join(plain).replace(" ", "") == text


def test_no_color_is_respected() -> None:
    import os
    import subprocess
    import sys

    code = (
        "from glassworks.cli.output import stdout\n"
        "from glassworks.cli.tables import show_shaded\n"
        "show_shaded([[('good', 'bold reverse red'), (' book', 'blue')]], stdout())\n"
    )
    environment = {**os.environ, "NO_COLOR": "1", "FORCE_COLOR": "1", "TERM": "xterm-256color"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "good" in done.stdout
    assert "[31" not in done.stdout
    assert "[34" not in done.stdout
    environment.pop("NO_COLOR")
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "\x1b[" in done.stdout


def test_texts_and_pictures_are_drawn_by_what_they_are() -> None:
    text = "good book"
    drawn = draw(np.array(text, object), values(2), word_spans(text), "positive", "leave_one_out")
    assert drawn.suffix == "html"
    assert read(drawn.file).text == text
    reported = "strongest: good +2.0000, book -1.0000"
    assert drawn.rows == [[("good ", "bold reverse red"), ("book", "blue")], [(reported, "")]]
    assert draw(np.zeros((8, 8, 1), np.uint8), np.zeros((1, 1, 8, 8), np.float32), (), "a", "b").suffix == "png"
    assert as_file(text) == (b"good book", "txt", "good book")
    assert as_file("a\ud800")[0] == b"a?"
