"""Labelled texts of any source."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glassworks.data.assigned import NOTHING, UNLABELED, Assigned
from glassworks.data.tabular.missing import trimmed
from glassworks.data.text.doubts import doubts
from glassworks.data.text.naming import multi_label_rows, named_labels
from glassworks.data.text.reader import Columns, Row
from glassworks.data.text.sameness import Same
from glassworks.errors import DataError
from glassworks.sentences import Sentence

_FORMAT = b"glassworks-texts-1"
_UNLABELED = "the label is empty"


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Labelled texts of a source. `targets` count in `classes`: int64 N, or 0 and 1 in int64 N K for several labels.

    `names` say where each text is, `unreadable` are (name, reason), `same` is the rule by which texts are the same,
    `findings` what was understood while reading. The order does not change `fingerprint`.
    """

    source: str
    texts: tuple[str, ...]
    names: tuple[str, ...]
    targets: NDArray[np.int64]
    classes: tuple[str, ...]
    unreadable: tuple[tuple[str, str], ...]
    fingerprint: str
    assigned: Assigned = NOTHING
    same: Same = "spacing"
    findings: tuple[Sentence, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def multi_label(self) -> bool:
        """Whether a text may have several labels, or none."""
        return self.targets.ndim == 2

    def labels(self, index: int) -> str:
        """The labels of a text, for people."""
        if self.multi_label:
            return ", ".join(self.classes[each] for each in np.flatnonzero(self.targets[index])) or "none"
        return self.classes[int(self.targets[index])]


def collect(source: str, rows: Iterable[Row], columns: Columns | None = None) -> Texts:
    """Texts of rows; the separator of `columns` splits a label into any number of them. Raises DataError for no text.

    A text without a letter, digit or sign, or without a label where one is needed, is named in `unreadable`.
    """
    columns = columns or Columns()
    findings = list(getattr(rows, "findings", ()))
    rows, multi_label = multi_label_rows(rows, columns)
    rows, more = named_labels(rows, columns, source)
    more = (*more, *doubts(rows, columns, source))
    kept, unreadable = _readable(rows, multi_label=multi_label)
    if not kept:
        raise _nothing(source, unreadable)
    labels = [row.label if isinstance(row.label, tuple) else (row.label,) for row in kept]
    classes = sorted({label for each in labels for label in each})
    targets = _targets(labels, classes, multi_label)
    texts = tuple(row.text for row in kept)
    assigned = Assigned.of([row.part for row in kept], [row.group for row in kept])
    return Texts(
        source=source,
        texts=texts,
        names=tuple(row.name for row in kept),
        targets=targets,
        classes=tuple(classes),
        unreadable=tuple(unreadable),
        fingerprint=_fingerprint(texts, targets, classes, assigned),
        assigned=assigned,
        same=columns.same,
        findings=(*findings, *more),
    )


def _readable(rows: Iterable[Row], *, multi_label: bool) -> tuple[list[Row], list[tuple[str, str]]]:
    """The rows with a text, and a label where one is needed; and of others the name and the reason."""
    kept: list[Row] = []
    unreadable: list[tuple[str, str]] = []
    for row in rows:
        if not trimmed(row.text):
            unreadable.append((row.name, "the text is empty"))
        elif row.part == UNLABELED:
            unreadable.append((row.name, "it is in a part without labels"))
        elif not multi_label and not row.label:
            unreadable.append((row.name, _UNLABELED))
        else:
            kept.append(row)
    return kept, unreadable


def _nothing(source: str, unreadable: Sequence[tuple[str, str]]) -> DataError:
    if not unreadable:
        return DataError(f"'{source}' holds no row", "give a source with texts and labels")
    if all(why == _UNLABELED for _, why in unreadable):
        return DataError(
            f"'{source}' holds {len(unreadable):,} texts and no label",
            "give a source with labels; texts alone are of use as data.unlabeled",
        )
    return DataError(f"'{source}' holds no labelled text: {': '.join(unreadable[0])}", "give texts with labels")


def _targets(labels: Sequence[tuple[str, ...]], classes: Sequence[str], multi_label: bool) -> NDArray[np.int64]:
    number = {name: index for index, name in enumerate(classes)}
    if not multi_label:
        return np.array([number[each] for (each,) in labels], np.int64)
    targets = np.zeros((len(labels), len(classes)), np.int64)
    for row, each in zip(targets, labels, strict=True):
        row[[number[label] for label in each]] = 1
    return targets


def _fingerprint(texts: Sequence[str], targets: NDArray[np.int64], classes: Sequence[str], assigned: Assigned) -> str:
    whole = hashlib.sha256(_FORMAT)
    for name in classes:
        whole.update(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest())
    digests = (
        hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() + target.tobytes() + own
        for text, target, own in zip(texts, targets, assigned.keys(len(texts)), strict=True)
    )
    for digest in sorted(digests):
        whole.update(digest)
    return whole.hexdigest()
