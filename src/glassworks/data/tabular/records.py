"""The records of a small table one by one, with the line that each stands in, by the standard library alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glassworks.data.encodings import read_text
from glassworks.data.tabular.dialect import Layout, layout_of
from glassworks.data.tabular.format import TableFormat
from glassworks.data.tabular.lines import Lines
from glassworks.sentences import Sentence


@dataclass(frozen=True, kw_only=True)
class Records:
    """`lines` counts from 1; `rows` has a cell for each of the names; `findings` say how it was read."""

    layout: Layout
    lines: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]
    findings: tuple[Sentence, ...] = ()

    def column(self, name: str) -> Sequence[str]:
        """Its cells."""
        at = self.layout.names.index(name)
        return [row[at] for row in self.rows]


def read_records(path: Path, form: TableFormat) -> Records:
    """A CSV file however it is written. Raises DataError."""
    decoded = read_text(path, form.encoding)
    text = decoded.text.removeprefix("\ufeff")
    if "\n" not in text:
        text = text.replace("\r", "\n")
    layout = layout_of(text, form, str(path))
    lines = Lines(text=text, name=str(path), dialect=layout.dialect, width=len(layout.names))
    start = sum(len(line) + 1 for line in text.split("\n", layout.first)[: layout.first])
    found = list(lines.records(start, layout.first + 1))
    return Records(
        layout=layout,
        lines=tuple(line for line, _ in found),
        rows=tuple(tuple(cells) for _, cells in found),
        findings=decoded.findings,
    )
