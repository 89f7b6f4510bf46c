"""Labelled pictures become a data set: one size, checked, split without leaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassworks.config import DataConfig
from glassworks.contracts import Dataset, Split
from glassworks.data.checks import check_pictures, contradictions
from glassworks.data.collection import Pictures, in_threads
from glassworks.data.duplicates import Duplicates, find_duplicates
from glassworks.data.findings import listed
from glassworks.data.pictures import fit_picture
from glassworks.data.splits import NEEDED, Dealt, Shares, deal, few, strata
from glassworks.errors import DataError, InputError
from glassworks.sentences import Sentence

_SMALLEST, _LARGEST = 8, 512
_MULTIPLE, _LARGEST_OF_MIXED = 8, 224


def prepare_pictures(pictures: Pictures, data: DataConfig, *, height: int, width: int, channels: int) -> Dataset:
    """Check, split and resize; each split's `x` is uint8 N `height` x `width` x `channels`.

    `train` and `validation` keep at most `data.per_class` pictures of each class; `test` stays whole.

    Copies with different labels are left out. Of several labels each split keeps the share of the rarest one that a
    picture has. Classes that are not in the test split are not measured, and a finding says so.
    Raises DataError when nothing can be measured.
    """
    duplicates = find_duplicates(pictures.looks)
    report = check_pictures(pictures, duplicates)
    rows = _not_contradicted(pictures, duplicates.exact)
    if not pictures.assigned.parts:
        _require_measurable(pictures, rows, duplicates.near)
    dealt = _deal(pictures, rows, duplicates, data)
    return Dataset(
        name=pictures.source,
        fingerprint=pictures.fingerprint,
        classes=pictures.classes,
        splits={
            name: Split(x=_fitted(pictures, rows[part], height, width, channels), y=pictures.labels[rows[part]])
            for name, part in few(dealt.parts, strata(pictures.labels[rows]), data.per_class, data.seed).items()
        },
        findings=tuple(map(str, (*dealt.findings, *report.findings))),
        preprocessing={"bits": pictures.bits} if pictures.bits else {},
    )


def part_findings(pictures: Pictures, duplicates: Duplicates, data: DataConfig) -> tuple[Sentence, ...]:
    """What is found between the parts that the data have of their own. Raises DataError as preparing them does."""
    if not pictures.assigned.parts:
        return ()
    rows = _not_contradicted(pictures, duplicates.exact)
    return _deal(pictures, rows, duplicates, data).findings


def _deal(pictures: Pictures, rows: NDArray[np.int64], duplicates: Duplicates, data: DataConfig) -> Dealt:
    shares = Shares(validation=data.validation, test=data.test, seed=data.seed)
    labels, assigned = pictures.labels[rows], pictures.assigned.only(rows)
    return deal(labels, duplicates.near[rows], assigned, pictures.classes, shares)


def labelled_split(pictures: Pictures, preprocessing: Mapping[str, Any], labels: Sequence[str]) -> Split:
    """All pictures as `preprocessing` (`height`, `width`, `channels`) says; `y` counts in `labels`.

    Raises DataError for a class that is not among `labels`.
    """
    number = {name: index for index, name in enumerate(labels)}
    unknown = [name for name in pictures.classes if name not in number]
    if unknown:
        raise DataError(
            f"'{pictures.source}' holds classes that the model does not know: {listed(unknown)}; "
            f"it knows {listed(labels)}",
            "give pictures of the model's classes, or train a model with these",
        )
    size = (int(preprocessing[key]) for key in ("height", "width", "channels"))
    translate = np.array([number[name] for name in pictures.classes], np.int64)
    if pictures.multi_label:
        targets = np.zeros((len(pictures), len(labels)), np.int64)
        targets[:, translate] = pictures.labels
    else:
        targets = translate[pictures.labels]
    return Split(x=_fitted(pictures, np.arange(len(pictures)), *size), y=targets)


def picture_shape(pictures: Pictures, size: int | None, channels: int | None) -> tuple[int, int, int]:
    """(height, width, channels) to prepare for; `size` is the side of a square, None decides by the pictures.

    Decided: gray when all are gray; the pictures' own size where it is the same for all, scaled into
    8 ... 512; else the square of the median side, a multiple of 8 of at most 224.
    """
    shapes = pictures.looks.shapes
    chosen = channels or (1 if (shapes[:, 2] == 1).all() else 3)
    if size is not None:
        return size, size, chosen
    height, width = int(shapes[0, 0]), int(shapes[0, 1])
    if (shapes[:, :2] == shapes[0, :2]).all():
        scale = min(1.0, _LARGEST / max(height, width))
        return max(_SMALLEST, round(height * scale)), max(_SMALLEST, round(width * scale)), chosen
    side = _MULTIPLE * round(float(np.median(shapes[:, :2])) / _MULTIPLE)
    side = min(max(side, _SMALLEST), _LARGEST_OF_MIXED)
    return side, side, chosen


def _not_contradicted(pictures: Pictures, exact: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows whose copies all have the same label."""
    kept = np.ones(len(pictures), np.bool_)
    for members in contradictions(exact, pictures.labels):
        kept[members] = False
    return np.flatnonzero(kept)


def _require_measurable(pictures: Pictures, rows: NDArray[np.int64], near: NDArray[np.int64]) -> None:
    """Raise DataError where no split is possible."""
    labels = pictures.labels[rows]
    each, own = np.nonzero(labels) if pictures.multi_label else (np.arange(len(rows)), labels)
    pairs = np.unique(np.stack([own, near[rows][each]], axis=1), axis=0)
    distinct = np.bincount(pairs[:, 0], minlength=len(pictures.classes))
    few = [name for name, count in zip(pictures.classes, distinct, strict=True) if count < NEEDED]
    empty = [name for name, count in zip(pictures.classes, distinct, strict=True) if count == 0]
    if empty:
        raise DataError(
            f"'{pictures.source}': every picture of the class '{empty[0]}' has another label too",
            "correct the labels; 'glassworks data check' names the pictures",
        )
    if len(few) == len(pictures.classes):
        raise DataError(
            f"'{pictures.source}': no class has {NEEDED} distinct pictures, one each to train, validate and test; "
            f"'{few[0]}' has {distinct.min()}",
            "add pictures; copies of the same one do not count",
        )


def _fitted(pictures: Pictures, rows: NDArray[np.int64], height: int, width: int, channels: int) -> NDArray[np.uint8]:
    x = np.empty((len(rows), height, width, channels), np.uint8)

    def fit(slot: int) -> None:
        index = int(rows[slot])
        try:
            x[slot] = fit_picture(pictures.pictures[index], height, width, channels)
        except (InputError, OSError) as error:
            raise DataError(
                f"'{pictures.source}': {pictures.names[index]} could be read before and cannot be now: {error}",
                "keep the files as they are while a job reads them",
            ) from error

    in_threads(fit, len(rows))
    return x
