"""Splits that never leak: stratified by class, seeded, with every group of copies on one side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

PARTS = ("train", "validation", "test")
NEEDED = len(PARTS)
"""A class with fewer groups cannot be in every part; all of it goes to train."""


def split(
    labels: NDArray[np.int64], groups: NDArray[np.int64], validation: float, test: float, seed: int
) -> dict[str, NDArray[np.int64]]:
    """Indexes of each part, ascending: together all examples, each once.

    `labels` and `groups` are int64 N; a group counts for the class that most of its members have. In every
    class with at least three groups, each part gets at least one group, and `validation` and `test` get at
    most their share of the class's examples, rounded (or one group where none is small enough).
    """
    _, group_of = np.unique(groups, return_inverse=True)
    sizes = np.bincount(group_of)
    classes = _class_of_groups(labels, group_of, len(sizes))
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[np.argsort(classes[order], kind="stable")]
    part_of_group = np.zeros(len(sizes), np.int64)
    for members in np.split(order, np.flatnonzero(np.diff(classes[order])) + 1):
        part_of_group[members] = _parts(sizes[members].tolist(), (validation, test))
    parts = part_of_group[group_of]
    return {name: np.flatnonzero(parts == number).astype(np.int64) for number, name in enumerate(PARTS)}


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
    """The part (an index in PARTS) of each group of one class; its largest group stays in train."""
    parts = [0] * len(sizes)
    if len(sizes) < NEEDED:
        return parts
    largest = max(range(len(sizes)), key=sizes.__getitem__)
    free = [index for index in range(len(sizes)) if index != largest]
    for number, share in enumerate(shares, start=1):
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
