"""The labels of pictures in the cells of a table: listed in one column, or one column a label."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from glassworks.data.class_names import normal_name
from glassworks.data.tabular.format import TableFormat
from glassworks.data.text.labels import NO, YES, labels_of
from glassworks.data.text.reader import Columns
from glassworks.errors import DataError
from glassworks.sentences import Sentence, sentence

_BETWEEN = re.compile(r"[;|]")
_WHOLE = "\0"
_MINUS = frozenset({"-1", "-1.0"})
_SHOWN = 40
_HALF = 2
LAYOUT = "write the columns file and labels, with ; between labels, or file and one column of 0 and 1 a label"
Labels = list[tuple[str, ...]]


def listed_labels(
    cells: Sequence[str], where: Sequence[str], name: str, separator: str, form: TableFormat, source: str
) -> tuple[Labels, tuple[Sentence, ...]]:
    """The labels of each cell: between `separator`, else `;` and `|`, else commas, or in a list of Python or JSON.

    Raises DataError where blanks seem to stand between them.
    """
    columns = Columns(form=form, label=name, separator=_WHOLE, multi_label=True)
    found, findings = labels_of([cell or None for cell in cells], where, columns, source)
    whole = [(each,) if isinstance(each, str) else each for each in found]
    if any(len(each) > 1 for each in whole):
        return [_tidy(each) for each in whole], findings
    plain = [each[0] if each else "" for each in whole]
    between = re.compile(re.escape(separator)) if separator else _BETWEEN
    if not separator and not any(between.search(cell) for cell in plain):
        between = re.compile(",")
        if commas := [cell for cell in plain if "," in cell]:
            findings = (*findings, sentence("finding.labels-by-comma", n=len(commas), example=commas[0][:_SHOWN]))
        else:
            _refuse_blanks(plain, where, name, source)
    return [_tidy(between.split(cell)) for cell in plain], findings


def columns_of_labels(
    columns: Mapping[str, Sequence[str]], lines: Sequence[int], source: str
) -> tuple[tuple[str, ...], Labels, tuple[Sentence, ...]]:
    """The names, the labels of each row, and what was understood. Columns that rather are notes are named.

    Raises DataError for a cell that is neither yes nor no in a column of a label.
    """
    notes = [name for name, cells in columns.items() if _is_index(name, cells) or not is_mostly_binary(cells)]
    names = tuple(name for name in columns if name not in notes)
    minus = _are_minus(columns[name] for name in names)
    found: list[list[str]] = [[] for _ in lines]
    for name in names:
        for labels, line, cell in zip(found, lines, columns[name], strict=True):
            said = cell.strip().casefold()
            if said in YES:
                labels.append(normal_name(name))
            elif said not in NO and not (minus and said in _MINUS):
                raise DataError(
                    f"{source}, line {line}: the column '{name}' holds '{cell.strip()[:_SHOWN]}', a label's column "
                    "holds 0 or 1",
                    LAYOUT,
                )
    findings = [sentence("finding.columns-not-read", n=len(notes), names=", ".join(notes[:5]))] if notes else []
    empty = sum(not cell.strip() for name in names for cell in columns[name])
    if empty:
        findings.append(sentence("finding.empty-cells", n=empty))
    return tuple(map(normal_name, names)), [tuple(each) for each in found], tuple(findings)


def _tidy(labels: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({normal_name(each) for each in labels if each.strip()}))


def _refuse_blanks(cells: Sequence[str], where: Sequence[str], name: str, source: str) -> None:
    """Raises DataError where words of cells come back in others, as labels between blanks do."""
    whole = {cell for cell in cells if cell}
    pairs = {cell: set(cell.split()) for cell in whole if " " in cell}
    words = [word for each in pairs.values() for word in each]
    alone = {cell for cell in whole if " " not in cell}
    if (
        pairs
        and all(word in alone or words.count(word) > 1 for word in set(words))
        and len({*words, *alone}) < len(whole)
    ):
        row = next(number for number, cell in enumerate(cells) if cell in pairs)
        raise DataError(
            f"{source}, {where[row]}: '{cells[row][:_SHOWN]}' in '{name}' looks like labels with blanks between",
            'say what separates labels: data.separator = " ", or data.separator = ";" where each cell is one',
        )


def _is_index(name: str, cells: Sequence[str]) -> bool:
    """Whether it counts rows, as pandas writes it."""
    usual = not name or name.casefold() in ("index", "id") or re.fullmatch(r"(?i)(unnamed: |column_)\d+", name)
    numbers = [int(cell) for cell in cells if cell.strip().isdecimal()]
    return bool(usual) and numbers in (list(range(len(cells))), list(range(1, len(cells) + 1)))


def is_mostly_binary(cells: Sequence[str]) -> bool:
    """Whether most cells say yes or no."""
    filled = [cell.strip().casefold() for cell in cells if cell.strip()]
    return _HALF * sum(cell in YES | NO | _MINUS for cell in filled) >= max(1, len(filled))


def _are_minus(columns: Iterator[Sequence[str]]) -> bool:
    """Whether -1 stands for no in all of a table, which then has no 0."""
    said = {cell.strip().casefold() for cells in columns for cell in cells}
    return bool(said & _MINUS) and not said & (NO - {""})
