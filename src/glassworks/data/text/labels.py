"""A column of labels as people write it: one label a text, or several in one of four layouts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from glassworks.data.tabular.missing import is_missing, missing_words, trimmed
from glassworks.data.text.cells import plain_value
from glassworks.data.text.reader import Columns
from glassworks.errors import DataError
from glassworks.sentences import Sentence, sentence

Label = str | tuple[str, ...]
_ITEM = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|([^\s,'\"\[\](){}]+)")
_LIST = re.compile(rf"[\[({{](?:\s|,|{_ITEM.pattern})*[\])}}]", re.DOTALL)
_SEPARATORS = ("|", ";", ",", "\n", "/", "+", "&", "#", " ")
_WEAK = " "
"""Stands within labels too: each part must be a label alone."""
YES = frozenset(
    [
        *("1", "1.0", "1,0", "true", "yes", "y", "x", "✓", "是", "真", "wahr", "ja", "j", "vrai", "oui"),
        *("verdadero", "sí", "si", "vero", "sì", "verdadeiro", "sim"),
    ]
)
_PLAIN = YES - {"x"}
"""In objects, whose values may be words."""
NO = frozenset(
    [
        *("", "0", "0.0", "0,0", "false", "no", "n", "否", "假", "falsch", "nein", "faux", "non"),
        *("falso", "não", "nao"),
    ]
)
"""As programs write them in several languages; Excel writes WAHR and FALSCH where it speaks German."""
_SHOWN = 60
_ONE = "or that each cell is one label: data.multi_label = false"
_LISTS = (list, tuple, set)


def labels_of(
    values: Sequence[Any], where: Sequence[str], columns: Columns, source: str
) -> tuple[list[Label], tuple[Sentence, ...]]:
    """The label of each cell, empty where none is known; tuples where texts may have several. Raises DataError."""
    words = missing_words(columns.form)
    if columns.multi_label is not False:
        lists = _lists(values, columns)
        if lists is not None:
            return lists, tuple(_of_lists(lists, columns))
    else:
        values = [_only(value, row, columns.label, source) for value, row in zip(values, where, strict=True)]
    _require_plain(values, where, columns, source)
    known = ["" if is_missing(value, words) else trimmed(plain_value(value)) for value in values]
    findings = tuple(_of_missing(values, known, words))
    if columns.separator and columns.multi_label is not False:
        if columns.multi_label is None and not any(columns.separator in each for each in known):
            _refuse_hidden(known, where, columns.label, source)
        return [_split(each, columns.separator) for each in known], findings
    if columns.multi_label is None:
        _refuse_hidden(known, where, columns.label, source)
    if columns.multi_label:
        return [(each,) if each else () for each in known], findings
    return list(known), findings


def labels_of_columns(cells: Mapping[str, Sequence[Any]], where: Sequence[str], source: str) -> list[tuple[str, ...]]:
    """The labels of rows that have a column for each, with 1 for a text that has it, else 0. Raises DataError."""
    found: list[list[str]] = [[] for _ in where]
    for name, values in cells.items():
        for labels, value, row in zip(found, values, where, strict=True):
            said = _said(value)
            if said in YES:
                labels.append(name)
            elif said not in NO:
                raise DataError(
                    f"{source}, {row}: the column '{name}' holds '{said[:_SHOWN]}', the column of a label 0 or 1",
                    "write 1 for a text that has the label, else 0; or name other columns: data.labels = [...]",
                )
    return [tuple(each) for each in found]


def columns_of_labels(cells: Mapping[str, Sequence[Any]]) -> list[str]:
    """The columns that hold nothing but 0 and 1, as those of labels do."""
    return [name for name, values in cells.items() if (said := set(map(_said, values))) & YES and said <= YES | NO]


def _lists(values: Sequence[Any], columns: Columns) -> list[Label] | None:
    """Lists of labels, written as such or as text, and objects with 0 and 1; None where they are none."""
    filled = [value for value in values if value is not None and value != ""]
    if any(isinstance(value, _LISTS) for value in filled):
        return [_of_list(value, columns.separator) for value in values]
    objects = [value for value in filled if isinstance(value, dict)]
    if objects and len(objects) == len(filled) and _is_yes_or_no([each for one in objects for each in one.values()]):
        return [tuple(key for key, each in (value or {}).items() if _said(each) in YES) for value in values]
    if filled and all(isinstance(value, str) and _LIST.fullmatch(value.strip()) for value in filled):
        return [tuple(_items(value or "")) for value in values]
    return None


def _of_list(value: object, separator: str) -> tuple[str, ...]:
    if not isinstance(value, _LISTS):
        return _split(plain_value(value), separator)
    return tuple(dict.fromkeys(filter(None, (trimmed(plain_value(each)) for each in value))))


def _items(text: str) -> Iterator[str]:
    """The labels in a list of Python, of NumPy or of JSON."""
    for single, double, bare in _ITEM.findall(text.strip()[1:-1]):
        label = (single or double or bare).replace("\\'", "'").replace('\\"', '"')
        if trimmed(label):
            yield trimmed(label)


def _split(text: str, separator: str) -> tuple[str, ...]:
    found = text.split(separator) if separator else [text]
    return tuple(dict.fromkeys(filter(None, map(trimmed, found))))


def _require_plain(values: Sequence[Any], where: Sequence[str], columns: Columns, source: str) -> None:
    for value, row in zip(values, where, strict=True):
        if isinstance(value, dict):
            inner = next(iter(value), "KEY")
            raise DataError(
                f"{source}, {row}: '{columns.label}' is an object: {str(value)[:_SHOWN]}",
                f'name what is in it: data.label = "{columns.label}.{inner}" or --label',
            )
        if isinstance(value, bytes):
            raise DataError(
                f"{source}, {row}: '{columns.label}' holds bytes: {value[:20]!r}", "write the column as text"
            )


def _of_missing(values: Sequence[Any], known: Sequence[str], words: frozenset[str]) -> Iterator[Sentence]:
    """A finding about words that were taken for no label."""
    said = Counter(
        "NaN" if isinstance(value, float) else value.strip()
        for value, label in zip(values, known, strict=True)
        if not label and value is not None and plain_value(value).strip()
    )
    if said:
        named = ", ".join(f"'{word}' ({count})" for word, count in said.most_common(5))
        yield sentence("finding.words-for-no-label", n=said.total(), names=named)


def _refuse_hidden(known: Sequence[str], where: Sequence[str], column: str, source: str) -> None:
    """Raises DataError where labels look like several in one cell: what stands between signs comes back elsewhere."""
    whole = Counter(filter(None, known))
    for sign in _SEPARATORS:
        cells = {label: _split(label, sign) for label in whole if sign in label}
        parts = Counter(part for each in cells.values() for part in each)
        back = all((count > 1 and sign != _WEAK) or part in whole for part, count in parts.items())
        if cells and back and len(parts) < len(whole) and any(len(each) > 1 for each in cells.values()):
            row = next(number for number, label in enumerate(known) if label in cells)
            said = sign.replace("\n", "\\n")
            raise DataError(
                f"{source}, {where[row]}: '{known[row][:_SHOWN]}' in '{column}' looks like several labels, as in "
                f"{sum(whole[each] for each in cells):,} rows",
                f'say what separates them: data.separator = "{said}" or --set \'separator="{said}"\'; {_ONE}',
            )


def _said(value: object) -> str:
    return plain_value(value).strip().casefold()


def _is_yes_or_no(values: Sequence[Any]) -> bool:
    said = set(map(_said, values))
    return bool(said & _PLAIN) and said <= _PLAIN | NO


def _of_lists(lists: Sequence[Label], columns: Columns) -> Iterator[Sentence]:
    """A finding about lists, or about lists of which each has one label."""
    code = "finding.lists-of-labels"
    if columns.multi_label is None and all(len(each) < 2 for each in lists) and any(lists):
        code = "finding.lists-of-one"
    yield sentence(code, n=len(lists), example=_example(lists))


def _only(value: Any, row: str, column: str, source: str) -> Any:
    """The label in a list of one. Raises DataError for more, which a text with one label cannot have."""
    if isinstance(value, _LISTS):
        found: Sequence[str] = _of_list(value, "")
    elif isinstance(value, str) and _LIST.fullmatch(value.strip()):
        found = list(_items(value))
    else:
        return value
    if len(found) > 1:
        raise DataError(
            f"{source}, {row}: '{column}' holds {len(found)} labels: {str(value)[:_SHOWN]}",
            "leave data.multi_label out: a text may have several labels then",
        )
    return found[0] if found else None


def _example(lists: Sequence[Label]) -> str:
    longest: Label = max(lists, key=len)
    return ", ".join(longest)
