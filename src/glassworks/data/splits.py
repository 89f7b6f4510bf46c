"""Splits that never leak: stratified by class, seeded, with every group of copies on one side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glassworks.data.assigned import Assigned
from glassworks.data.findings import listed
from glassworks.errors import DataError
from glassworks.sentences import Sentence, sentence

PARTS = ("train", "validation", "test")
NEEDED = len(PARTS)
"""A class with fewer groups cannot be in every part: one of two is learned and the other measured, one is learned."""


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Shares of the examples that go to `validation` and `test` where the data do not say, and the seed of chance."""

    validation: float
    test: float
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Dealt:
    """Indexes of each part by its name, ascending; `findings` say what was left out, and what cannot be measured."""

    parts: Mapping[str, NDArray[np.int64]]
    findings: tuple[Sentence, ...] = ()


def deal(
    targets: NDArray[np.int64],
    copies: NDArray[np.int64],
    assigned: Assigned,
    classes: Sequence[str],
    shares: Shares,
) -> Dealt:
    """The parts of N examples: as the data assign them, else dealt by `split`; no group of `copies` (N) is in two.

    Where the data assign no validation or no test part, it is dealt from train. Copies of examples of a later part are
    left out of the earlier ones, so that what is measured is what the data say. Raises DataError where a part has no
    example, a class none in train, or where a group of the data is in two of their own parts.
    """
    kinds, groups = strata(targets), assigned.joined(copies)
    if not assigned.parts:
        parts = split(kinds, groups, shares.validation, shares.test, shares.seed)
        found: tuple[Sentence, ...] = ()
        if assigned.groups:
            _require_rows(parts, f"the {len(np.unique(groups))} groups of data.group are too few or too unequal")
    else:
        parts, found = _as_assigned(kinds, copies, assigned, shares)
    absent = {name: _absent(targets[rows], classes) for name, rows in parts.items()}
    if absent["train"] and assigned.parts:
        raise DataError(
            f"the train part has no example of {listed(absent['train'])}, the other parts have",
            "put some into train, or take the class away; or leave data.split out",
        )
    if unmeasured := absent["test"]:
        found = (*found, sentence("finding.not-measured", n=len(unmeasured), names=listed(unmeasured)))
    return Dealt(parts=parts, findings=found)


def split(
    labels: NDArray[np.int64], groups: NDArray[np.int64], validation: float, test: float, seed: int
) -> dict[str, NDArray[np.int64]]:
    """Indexes of each part, ascending: together all examples, each once.

    `labels` and `groups` are int64 N; a group counts for the class that most of its members have. In every
    class with at least three groups, each part gets at least one group, and `validation` and `test` get at
    most their share of the class's examples, rounded (or one group where none is small enough). Of two groups one is
    in train and one in test.
    """
    parts = _dealt(labels, groups, (validation, test), seed)
    return {name: np.flatnonzero(parts == number).astype(np.int64) for number, name in enumerate(PARTS)}


def _as_assigned(
    kinds: NDArray[np.int64], copies: NDArray[np.int64], assigned: Assigned, shares: Shares
) -> tuple[dict[str, NDArray[np.int64]], tuple[Sentence, ...]]:
    part = np.array([PARTS.index(name) for name in assigned.parts], np.int64)
    _require_sides(part, assigned)
    last = np.full(int(copies.max(initial=0)) + 1, -1)
    np.maximum.at(last, copies, part)
    leaked = part < last[copies]
    found = [sentence("finding.copies-between-parts", n=int(leaked.sum()))] if leaked.any() else []
    part[leaked] = -1
    missing = [name for name in PARTS[1:] if name not in assigned.parts]
    rows = np.flatnonzero(part == 0)
    if missing and len(rows):
        groups, wanted = assigned.joined(copies)[rows], [getattr(shares, name) for name in missing]
        taken = _dealt(kinds[rows], groups, wanted, shares.seed)
        part[rows] = np.array([0, *map(PARTS.index, missing)])[taken]
        found.append(sentence("finding.dealt-from-train", names=" and ".join(missing)))
    parts = {name: np.flatnonzero(part == number).astype(np.int64) for number, name in enumerate(PARTS)}
    said = ", ".join(name for name in PARTS if name in assigned.parts)
    _require_rows(parts, "; ".join([f"the data have {said}", *map(str, found)]))
    return parts, tuple(found)


def _require_sides(part: NDArray[np.int64], assigned: Assigned) -> None:
    """Raise DataError where a group of the data is in two parts."""
    first: dict[str, int] = {}
    torn = [
        (group, first[group], own)
        for group, own in zip(assigned.groups, part.tolist(), strict=False)
        if group and first.setdefault(group, own) != own
    ]
    if torn:
        group, one, other = torn[0]
        raise DataError(
            f"{len({each for each, _, _ in torn}):,} groups of data.group are in two parts, for example "
            f"'{group[:40]}' in {PARTS[one]} and {PARTS[other]}",
            "leave data.split out, and parts are made of whole groups; or leave data.group out",
        )


def _require_rows(parts: Mapping[str, NDArray[np.int64]], why: str) -> None:
    empty = [name for name, rows in parts.items() if not len(rows)]
    if empty:
        raise DataError(
            f"the part {empty[0]} has no example: {why}"[:300], "give examples of it, or leave its key of [data] out"
        )


def _absent(targets: NDArray[np.int64], classes: Sequence[str]) -> list[str]:
    """Classes without an example."""
    counts = targets.sum(axis=0) if targets.ndim == 2 else np.bincount(targets, minlength=len(classes))
    return [name for name, count in zip(classes, counts, strict=True) if not count]


def _dealt(
    labels: NDArray[np.int64], groups: NDArray[np.int64], shares: Sequence[float], seed: int
) -> NDArray[np.int64]:
    """Of each example 0, or the number of the share that it is in, from 1 on."""
    _, group_of = np.unique(groups, return_inverse=True)
    sizes = np.bincount(group_of)
    classes = _class_of_groups(labels, group_of, len(sizes))
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[np.argsort(classes[order], kind="stable")]
    part_of_group = np.zeros(len(sizes), np.int64)
    for members in np.split(order, np.flatnonzero(np.diff(classes[order])) + 1):
        part_of_group[members] = _parts(sizes[members].tolist(), shares)
    found: NDArray[np.int64] = part_of_group[group_of]
    return found


def few(
    parts: Mapping[str, NDArray[np.int64]], kinds: NDArray[np.int64], per_class: int | None, seed: int
) -> dict[str, NDArray[np.int64]]:
    """The parts with at most `per_class` indexes of each of `kinds` (N) to learn from and to choose with, ascending.

    `test` stays whole; None keeps all.
    """
    if per_class is None:
        return dict(parts)
    chosen = dict(parts)
    for name in PARTS[:-1]:
        order = np.random.default_rng(seed).permutation(parts[name])
        of = kinds[order]
        chosen[name] = np.sort(np.concatenate([order[of == each][:per_class] for each in np.unique(of)]))
    return chosen


def strata(targets: NDArray[np.int64]) -> NDArray[np.int64]:
    """What a split keeps the shares of: the class; of several labels (N K) the rarest one that an example has."""
    if targets.ndim == 1:
        return targets
    frequency = targets.sum(axis=0)
    weights = np.where(targets > 0, 1.0 / np.maximum(frequency, 1), 0.0)
    found: NDArray[np.int64] = np.where(targets.any(axis=1), weights.argmax(axis=1), targets.shape[1]).astype(np.int64)
    return found


def _class_of_groups(labels: NDArray[np.int64], group_of: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The most frequent label of each group; the smaller one of two equally frequent."""
    pairs, frequency = np.unique(np.stack([group_of, labels], axis=1), axis=0, return_counts=True)
    classes = np.zeros(count, np.int64)
    # Written from the least to the most frequent: the last one stays.
    for row in np.lexsort((-pairs[:, 1], frequency)):
        classes[pairs[row, 0]] = pairs[row, 1]
    return classes


def _parts(sizes: Sequence[int], shares: Sequence[float]) -> list[int]:
    """The share (from 1 on) of each group of one class, else 0; its largest group stays there."""
    parts = [0] * len(sizes)
    few = max(0, len(shares) + 1 - len(sizes))
    """Of too few groups the last shares get one."""
    largest = max(range(len(sizes)), key=sizes.__getitem__)
    free = [index for index in range(len(sizes)) if index != largest]
    for number, share in list(enumerate(shares, start=1))[few:]:
        still_to_come = len(shares) - number
        room = max(1, round(share * sum(sizes)))
        taken: list[int] = []
        for index in free:
            if sizes[index] <= room and len(free) - len(taken) > still_to_come:
                taken.append(index)
                room -= sizes[index]
        chosen = set(taken or [min(free, key=sizes.__getitem__)])
        for index in chosen:
            parts[index] = number
        free = [index for index in free if index not in chosen]
    return parts
