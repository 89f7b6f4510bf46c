"""A text is cut into passages: whole sentences up to a size, as characters from start to end of the text."""

from __future__ import annotations

from collections.abc import Iterator

from glassworks.text.words import word_spans

_LOCALE = "en"
"""Of ICU; its rules for sentences hardly depend on it."""
Spans = list[tuple[int, int]]


def sentence_spans(text: str) -> Spans:
    """(start, end) of each sentence with the blanks behind it (UAX 29); together they are the text."""
    text = _whole(text)
    from icu4py.breakers import SentenceBreaker

    spans, begin = [], 0
    for part in SentenceBreaker(text, _LOCALE):
        spans.append((begin, begin + len(part)))
        begin += len(part)
    return spans


def passage_spans(text: str, size: int) -> Spans:
    """(start, end) of passages of at most `size` bytes of UTF-8, in their order; none has blanks at its ends, and all
    but blanks is in one of them.

    A passage that is half full ends with its paragraph. A sentence that is longer than a passage is cut between words,
    and a longer word anywhere.
    """
    found: Spans = []
    begin = end = used = 0
    for start, stop in _parts(text, size):
        length = _bytes(text[start:stop])
        if used and (used + length > size or (2 * used >= size and _ends_paragraph(text[begin:end]))):
            found.append((begin, end))
            begin, used = start, 0
        end, used = stop, used + length
    found.append((begin, end))
    return [span for span in (_stripped(text, *each) for each in found) if span[0] < span[1]]


def _parts(text: str, size: int) -> Iterator[tuple[int, int]]:
    """Sentences, and the parts of those that are too long."""
    for start, stop in sentence_spans(text):
        if _bytes(text[start:stop]) <= size:
            yield start, stop
            continue
        for first, last in word_spans(_whole(text[start:stop])):
            if _bytes(text[start + first : start + last]) <= size:
                yield start + first, start + last
            else:
                step = max(1, size // 4)
                for at in range(start + first, start + last, step):
                    yield at, min(at + step, start + last)


def _whole(text: str) -> str:
    """With question marks for halves of surrogate pairs, which libraries refuse."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _ends_paragraph(text: str) -> bool:
    blank = text[len(text.rstrip()) :].replace("\r\n", "\n").replace("\r", "\n")
    return blank.count("\n") > 1


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    inner = text[start:end]
    return start + len(inner) - len(inner.lstrip()), start + len(inner.rstrip())
