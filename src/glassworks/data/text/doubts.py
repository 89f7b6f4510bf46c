"""What looks wrong with labels, texts and columns as they were read: said, and never decided."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from glassworks.data.assigned import is_part
from glassworks.data.tabular.columns import find_column
from glassworks.data.text.cells import plain_value
from glassworks.errors import DataError
from glassworks.sentences import Sentence, sentence

if TYPE_CHECKING:
    from glassworks.data.tabular.cells import Cells
    from glassworks.data.text.reader import Columns, Row

_NUMBER = re.compile(r"[-+]?\d*[.,]\d+(?:[eE][-+]?\d+)?")
_DATE = re.compile(r"\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}.*|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}.*")
_NOTHING = frozenset(
    "? ?? ??? . .. - -- --- unknown undefined missing tbd todo blank unlabeled unlabelled 未知".split()  # noqa: SIM905
)
_PARTS = re.compile(r"(?:data)?(?:split|fold|set|subset|part|partition)", re.IGNORECASE)
_LOST = re.compile(r"\ufffd|(?:(?<!\S)\?{2,}(?!\S).*?){3}", re.DOTALL)
"""What stands where a program could not write a sign: U+FFFD, or question marks in place of words."""
_ROWS, _CLASSES, _FEW, _SHOWN, _MOST = 20, 10, 5, 40, 0.8


def doubts(rows: Sequence[Row], columns: Columns, source: str) -> Iterator[Sentence]:
    """Findings about rows with a label each. Raises DataError where texts and labels seem to stand in each other's
    column."""
    labels = Counter(row.label for row in rows if isinstance(row.label, str) and row.label)
    texts = Counter(row.text for row in rows)
    if len(rows) >= _ROWS and labels:
        _refuse_swapped(texts, labels, columns, source)
        if _are_no_classes(labels):
            shown = ", ".join(f"'{each[:_SHOWN]}'" for each in list(labels)[:3])
            yield sentence("finding.labels-unlike-classes", n=len(labels), total=labels.total(), names=shown)
    nothing = [each for each in labels if each.casefold() in _NOTHING and not (each == "-" and "+" in labels)]
    if nothing and len(nothing) < len(labels) - 1:
        shown = ", ".join(f"'{each}' ({labels[each]:,})" for each in nothing[:_FEW])
        pairs = ", ".join(f'"{each}" = ""' for each in nothing[:_FEW])
        yield sentence("finding.labels-like-nothing", names=shown, rename=f"{{ {pairs} }}")
    lost = [(row, found.start()) for row in rows if (found := _LOST.search(row.text))]
    if lost:
        row, at = lost[0]
        example = row.text[max(0, at - _SHOWN // 2) : at + _SHOWN // 2]
        yield sentence("finding.lost-signs", n=len(lost), name=row.name, example=example)


def columns_of_parts(cells: Cells, columns: Columns) -> Iterator[Sentence]:
    """A finding about a column that says the part of each row, when none was named."""
    for name in cells.names if not columns.split else ():
        if _PARTS.fullmatch(re.sub(r"[\W_]", "", name)) and name not in (*columns.parts, columns.label):
            found = {plain_value(value).strip() for value in cells.values(name)}
            if len(found) > 1 and all(map(is_part, found)):
                yield sentence("finding.column-of-parts", column=name, names=", ".join(sorted(found)))


def without_names(cells: Cells, columns: Columns) -> tuple[Cells, tuple[Sentence, ...]]:
    """The rows that do not repeat the line of column names, as those of joined files do, and a finding about others."""
    wanted = (*columns.parts, *columns.labels, *((columns.label,) if columns.label and not columns.labels else ()))
    named = [name for each in wanted if (name := find_column(each, cells.names)) is not None]
    if len(named) < len(wanted) or len(named) < 2:
        return cells, ()
    values = zip(*(cells.values(name) for name in named), strict=True)
    kept = [number for number, row in enumerate(values) if list(row) != named]
    if len(kept) == len(cells.where):
        return cells, ()
    gone = next(number for number, row in enumerate([*kept, -1]) if row != number)
    found = sentence("finding.names-again", n=len(cells.where) - len(kept), name=cells.where[gone])
    return cells.only(kept), (found,)


def _refuse_swapped(texts: Counter[str], labels: Counter[str], columns: Columns, source: str) -> None:
    total = labels.total()
    if len(labels) < _MOST * total or len(texts) > max(_CLASSES, total // _CLASSES) or len(columns.parts) > 1:
        return
    if sum(map(len, labels)) / len(labels) > sum(map(len, texts)) / len(texts):
        raise DataError(
            f"'{source}': the text is one of {len(texts):,}, such as '{next(iter(texts))[:_SHOWN]}', and nearly each "
            f"of {total:,} labels is another, such as '{next(iter(labels))[:_SHOWN]}': they seem to be swapped",
            f'say it otherwise: data.text = "{columns.label}" and data.label = "{columns.parts[0]}", or --text and '
            "--label",
        )


def _are_no_classes(labels: Counter[str]) -> bool:
    """Whether most labels are there once, or there are many numbers with decimals or dates."""
    if 2 * len(labels) > labels.total():
        return True
    numbers = sum(bool(_NUMBER.fullmatch(each)) for each in labels)
    dates = sum(bool(_DATE.fullmatch(each)) for each in labels)
    return len(labels) > _CLASSES and max(numbers, dates) > _MOST * len(labels)
