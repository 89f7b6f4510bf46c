"""English prose that every Python brings: the paragraphs of its language reference."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from glassworks.contracts import Sample
from glassworks.data.text.reader import Columns, Row, TextReader

_SHORTEST = 200
"""Characters of a paragraph; shorter ones are headings and hints."""


class PythonManual(Sample, TextReader):
    """Paragraphs of Python's language reference, as help() prints it; the label is the topic."""

    name: ClassVar[str] = "python-manual"

    def texts(self, what: str, columns: Columns) -> Iterator[Row]:
        """A paragraph a row, without code, lists and headings. Licensed with Python (PSF-2.0).

        Language models have most likely read it: it serves to compare forms of one model, not one model with another.
        """
        from pydoc_data.topics import topics

        for topic, text in sorted(topics.items()):
            for number, paragraph in enumerate(re.split(r"\n\s*\n", text)):
                lines = paragraph.strip("\n").splitlines()
                if all(line[:1].strip() for line in lines) and len(paragraph) >= _SHORTEST:
                    yield Row(f"{topic} {number}", " ".join(lines), topic)
