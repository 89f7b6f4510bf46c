"""Labelled texts of any source."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import starmap

import numpy as np
from numpy.typing import NDArray

from glassworks.data.assigned import NOTHING, UNLABELED, Assigned
from glassworks.data.text.reader import Row
from glassworks.errors import DataError

_FORMAT = b"glassworks-texts-1"
_UNLABELED = "the label is empty"
_NOT_WORDS = re.compile(r"[\W_]+")


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Labelled texts of a source. `targets` count in `classes`: int64 N, or 0 and 1 in int64 N K for several labels.

    `names` say where each text is, `unreadable` are (name, reason). The order does not change `fingerprint`.
    """

    source: str
    texts: tuple[str, ...]
    names: tuple[str, ...]
    targets: NDArray[np.int64]
    classes: tuple[str, ...]
    unreadable: tuple[tuple[str, str], ...]
    fingerprint: str
    assigned: Assigned = NOTHING

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


def collect(source: str, rows: Iterable[tuple[str, ...]], separator: str = "") -> Texts:
    """Texts of `Row`s, or their first fields; a `separator` splits a label into any number of them.

    Raises DataError for no text.
    A text without a letter, digit or sign, or without a label where one is needed, is named in `unreadable`.
    """
    kept: list[tuple[Row, tuple[str, ...]]] = []
    unreadable: list[tuple[str, str]] = []
    for row in starmap(Row, rows):
        found = tuple(filter(None, map(str.strip, row.label.split(separator) if separator else [row.label])))
        if reason := _useless(row, labelled=bool(separator or found)):
            unreadable.append((row.name, reason))
        else:
            kept.append((row, found))
    if not kept:
        raise _nothing(source, unreadable)
    classes = sorted({label for _, labels in kept for label in labels})
    targets = _targets([labels for _, labels in kept], classes, bool(separator))
    texts = tuple(row.text for row, _ in kept)
    assigned = Assigned.of([row.part for row, _ in kept], [row.group for row, _ in kept])
    return Texts(
        source=source,
        texts=texts,
        names=tuple(row.name for row, _ in kept),
        targets=targets,
        classes=tuple(classes),
        unreadable=tuple(unreadable),
        fingerprint=_fingerprint(texts, targets, classes, assigned),
        assigned=assigned,
    )


def _useless(row: Row, *, labelled: bool) -> str:
    """Why nothing can be learned from a row; empty where something can."""
    if row.part == UNLABELED:
        return "it is in a part without labels"
    if not row.text.strip():
        return "the text is empty"
    return "" if labelled else _UNLABELED


def _nothing(source: str, unreadable: Sequence[tuple[str, str]]) -> DataError:
    if not unreadable:
        return DataError(f"'{source}' holds no row", "give a source with texts and labels")
    if all(why == _UNLABELED for _, why in unreadable):
        return DataError(
            f"'{source}' holds {len(unreadable):,} texts and no label",
            "give a source with labels; texts alone are of use as data.unlabeled",
        )
    return DataError(f"'{source}' holds no labelled text: {': '.join(unreadable[0])}", "give texts with labels")


def plain(text: str) -> str:
    """What two texts have in common that differ only in width, case, spaces and punctuation."""
    key = _NOT_WORDS.sub("", unicodedata.normalize("NFKC", text).casefold())
    return key or text.strip()


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
