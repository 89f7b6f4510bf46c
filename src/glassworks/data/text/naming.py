"""What labels are called, and how many of them a text has: as the job says, else as the rows show."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from glassworks.data.tabular.missing import trimmed
from glassworks.data.text.reader import Columns, Row
from glassworks.errors import DataError
from glassworks.sentences import Sentence, sentence

_WHOLE = re.compile(r"[-+]?\d+(?:\.0*)?")
_LEAST, _SHARE = 8, 0.25
"""Texts with different labels in rows of their own, and their share, from which on several labels are meant."""
_SHOWN = 60
_NONE = frozenset({"none", "no label", "nothing", "-", "no", "n/a", "null", "nan", "无", "没有"})


def multi_label_rows(rows: Iterable[Row], columns: Columns) -> tuple[list[Row], bool]:
    """The rows with tuples of labels where a text may have several, and whether it may."""
    known = [Row(*row) for row in rows]
    separator = columns.separator if columns.multi_label is not False else ""
    if not (separator or columns.multi_label or columns.labels or any(isinstance(row.label, tuple) for row in known)):
        return known, False
    found = [row._replace(label=_as_tuple(row.label, separator)) for row in known]
    return (_joined(found) if columns.multi_label else found), True


def named_labels(rows: Sequence[Row], columns: Columns, source: str) -> tuple[list[Row], tuple[Sentence, ...]]:
    """The rows with labels as the job calls them; whole numbers are written alike. Raises DataError for texts
    whose labels stand in rows of their own."""
    counts = Counter(label for row in rows for label in _as_tuple(row.label, ""))
    unknown = tuple(_unknown(columns.rename, counts))
    if columns.multi_label is None and not any(isinstance(row.label, tuple) for row in rows):
        _refuse_repeated(rows, source)
    names = {**_whole_numbers(counts), **columns.rename}
    found = [row._replace(label=_renamed(row.label, names)) for row in rows] if names else list(rows)
    counts = Counter(label for row in found for label in _as_tuple(row.label, ""))
    return found, (*unknown, *_alike(counts), *_always_alone(found, counts))


def _as_tuple(label: str | tuple[str, ...], separator: str) -> tuple[str, ...]:
    if isinstance(label, tuple):
        return label
    parts = label.split(separator) if separator else [label]
    return tuple(dict.fromkeys(filter(None, map(trimmed, parts))))


def _joined(rows: Sequence[Row]) -> list[Row]:
    """One row for rows of the same text, with the labels of all."""
    found: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = (row.text, row.part)
        first = found.setdefault(key, row)
        found[key] = first._replace(label=tuple(dict.fromkeys((*first.label, *row.label))))
    return list(found.values())


def _refuse_repeated(rows: Sequence[Row], source: str) -> None:
    labels: dict[str, set[str]] = {}
    for row in rows:
        if row.text.strip() and isinstance(row.label, str) and row.label:
            labels.setdefault(row.text, set()).add(row.label)
    repeated = [text for text, each in labels.items() if len(each) > 1]
    if len(repeated) >= _LEAST and len(repeated) >= _SHARE * len(labels):
        example = f"{repeated[0][:_SHOWN]}: {', '.join(sorted(labels[repeated[0]])[:4])}"
        raise DataError(
            f"'{source}': {len(repeated):,} of {len(labels):,} texts have several rows with different labels, for "
            f"example {example}",
            "data.multi_label = true if a text may have several labels; false if one of them is wrong",
        )


def _whole_numbers(counts: Mapping[str, int]) -> dict[str, str]:
    """`1.0` is `1` where all labels are whole numbers."""
    if not all(_WHOLE.fullmatch(label) for label in counts):
        return {}
    return {label: label.split(".")[0] for label in counts if "." in label}


def _unknown(rename: Mapping[str, str], counts: Mapping[str, int]) -> Iterator[Sentence]:
    """A finding about names that no label has: another file may."""
    for name in rename:
        if name not in counts:
            yield sentence("finding.unknown-label", name=name, labels=", ".join(list(counts)[:10]))


def _renamed(label: str | tuple[str, ...], names: Mapping[str, str]) -> str | tuple[str, ...]:
    if isinstance(label, tuple):
        return tuple(filter(None, dict.fromkeys(names.get(each, each) for each in label)))
    return names.get(label, label)


def _always_alone(rows: Sequence[Row], counts: Mapping[str, int]) -> Iterator[Sentence]:
    """A finding about a word for no label, among labels of which a text may have several."""
    beside = {label for row in rows if isinstance(row.label, tuple) and len(row.label) > 1 for label in row.label}
    for label in counts:
        if beside and label not in beside and label.casefold() in _NONE:
            yield sentence("finding.label-for-none", label=label, n=counts[label])


def _alike(counts: Mapping[str, int]) -> Iterator[Sentence]:
    """A finding about labels that differ in case, width, blanks or punctuation alone, with the way to make them one."""
    groups: dict[str, list[str]] = {}
    for label in counts:
        groups.setdefault(_plain(label), []).append(label)
    found = [sorted(each, key=lambda label: -counts[label]) for each in groups.values() if len(each) > 1]
    if not found:
        return
    named = "; ".join(", ".join(f"'{label}' ({counts[label]:,})" for label in each) for each in found[:3])
    pairs = ", ".join(f'"{label}" = "{each[0]}"' for each in found[:3] for label in each[1:])
    yield sentence("finding.alike-labels", n=len(found), names=named, rename=f"{{ {pairs} }}")


def _plain(label: str) -> str:
    """A label without what people often write in more than one way."""
    text = unicodedata.normalize("NFKC", label).casefold()
    key = re.sub(r"[\s_]+", " ", text).strip(" .,;:!\"'")
    if key in ("true", "false"):
        return {"true": "1", "false": "0"}[key]
    return (key.split(".")[0] if _WHOLE.fullmatch(key) else key) or label
