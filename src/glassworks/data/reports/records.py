"""What a report on data says. Lists show the first; how many there are stands beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Measurement
from glassworks.record import Record
from glassworks.sentences import Sentence

T = TypeVar("T")
Rows: TypeAlias = NDArray[np.int64]
MOST = 200
"""Of each list."""
_MEMBERS, _TEXT = 20, 300


class First(Record, Generic[T]):
    """The first of a list, and how many there are in all."""

    total: int
    items: tuple[T, ...]


class Shown(Record):
    """An example; `index` is its number in the preview of the data, None where it has none there."""

    index: int | None
    name: str
    label: str
    text: str | None = None


class Copies(Record):
    """Two examples that are the same, or nearly."""

    exact: bool
    pair: tuple[Shown, Shown]


class Candidate(Record):
    """A label that looks wrong: a classifier that did not see the example gives it only this `probability`."""

    example: Shown
    suggested: str
    probability: float


class Unreadable(Record):
    """What cannot be used, and why."""

    name: str
    reason: str


class Report(Record):
    """What was found. `honest_split` and `random_split` are the accuracy of a classifier of n-grams on the test texts
    of the split that a job would learn from, and of one that takes rows at random, copies and all; None where that was
    not measured. `numbers` are further counts by name.
    """

    source: str
    kind: str
    examples: int
    distinct: int
    class_counts: dict[str, int]
    duplicates: First[Copies]
    contradictions: First[tuple[Shown, ...]]
    candidates: First[Candidate] | None = None
    unreadable: First[Unreadable]
    honest_split: Measurement | None = None
    random_split: Measurement | None = None
    numbers: dict[str, Any]
    fingerprint: str
    findings: tuple[Sentence, ...]
    """The most important first."""


def first(items: Sequence[T], total: int | None = None) -> First[T]:
    """Of all items, or of those that were made out of so many."""
    return First(total=len(items) if total is None else total, items=tuple(items[:MOST]))


def unreadable(found: Iterable[tuple[str, str]]) -> First[Unreadable]:
    """(name, reason) as records."""
    return first([Unreadable(name=name, reason=reason) for name, reason in found])


def copies_of(exact: Rows, near: Rows, shown: Callable[[int], Shown]) -> First[Copies]:
    """Pairs of rows (P x 2) that are exact copies, then those that are near ones."""
    pairs = [(True, pair) for pair in exact[:MOST]] + [(False, pair) for pair in near[:MOST]]
    found = [Copies(exact=same, pair=(shown(int(one)), shown(int(other)))) for same, (one, other) in pairs]
    return first(found, len(exact) + len(near))


def groups_of(groups: Sequence[Rows], shown: Callable[[int], Shown]) -> First[tuple[Shown, ...]]:
    """Groups of rows, of each at most the first few."""
    found = [tuple(shown(int(row)) for row in group[:_MEMBERS]) for group in groups[:MOST]]
    return first(found, len(groups))


def within(groups: Rows) -> Rows:
    """P x 2: of each group its first member with each other one."""
    order = np.argsort(groups, kind="stable")
    begins = np.flatnonzero(np.diff(groups[order], prepend=-1))
    sizes = np.diff(np.append(begins, len(order)))
    pairs: Rows = np.stack([np.repeat(order[begins], sizes), order], axis=1)
    different: Rows = pairs[pairs[:, 0] != pairs[:, 1]]
    return different


def cut(text: str) -> str:
    """As much as is shown."""
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}..."
