"""What is wrong with a set of pictures, in numbers and in sentences for people."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from glassworks.data.class_names import alike
from glassworks.data.collection import Pictures
from glassworks.data.duplicates import Duplicates, find_duplicates
from glassworks.data.findings import SHOWN, TINY, copied, listed, of_classes
from glassworks.record import Record
from glassworks.sentences import Sentence, sentence

_NAMED = 20


class DataReport(Record):
    """`examples` counts readable pictures, `distinct` those with different pixels; `duplicates` are the rest.

    `near_duplicates` counts distinct pictures that are near copies of another one. `contradictions` counts groups
    of the same or nearly the same picture under different labels; `contradictory` names the first 20 of them,
    `unreadable` and `left_out` say (name, reason). `imbalance` is the largest class over the smallest. `sizes` is
    (smallest, largest) as (height, width) by area.
    """

    examples: int
    distinct: int
    duplicates: int
    near_duplicates: int
    contradictions: int
    contradictory: tuple[tuple[str, ...], ...]
    unreadable: tuple[tuple[str, str], ...]
    left_out: tuple[tuple[str, str], ...] = ()
    imbalance: float
    class_counts: dict[str, int]
    tiny_classes: tuple[str, ...]
    sizes: tuple[tuple[int, int], tuple[int, int]]
    mixed_sizes: bool
    non_square: int
    fingerprint: str
    findings: tuple[Sentence, ...]
    """Most important first; empty when there is nothing to report."""


def check_pictures(pictures: Pictures, duplicates: Duplicates | None = None) -> DataReport:
    """Look for copies, contradictions, unreadable files, imbalance, tiny classes and mixed sizes.

    `duplicates` are those of `find_duplicates(pictures.looks)`, where the caller has them already.
    """
    copies = duplicates or find_duplicates(pictures.looks)
    counts, shapes = pictures.counts(), pictures.looks.shapes
    distinct = int(copies.exact.max()) + 1
    contradictory = contradictions(copies.near, pictures.labels)
    report = DataReport(
        examples=len(pictures),
        distinct=distinct,
        duplicates=len(pictures) - distinct,
        near_duplicates=distinct - (int(copies.near.max()) + 1),
        contradictions=len(contradictory),
        contradictory=tuple(_names(pictures, members) for members in contradictory[:_NAMED]),
        unreadable=pictures.unreadable,
        left_out=pictures.left_out,
        imbalance=round(float(counts.max() / counts.min()), 3),
        class_counts={name: int(count) for name, count in zip(pictures.classes, counts, strict=True)},
        tiny_classes=tuple(name for name, count in zip(pictures.classes, counts, strict=True) if count < TINY),
        sizes=_extremes(shapes),
        mixed_sizes=bool((shapes[:, :2] != shapes[0, :2]).any()),
        non_square=int((shapes[:, 0] != shapes[:, 1]).sum()),
        fingerprint=pictures.fingerprint,
        findings=(),
    )
    exact = sum(len(members) for members in contradictions(copies.exact, pictures.labels))
    found = (*alike(report.class_counts), *_findings(report, exact), *pictures.notes)
    return report.model_copy(update={"findings": found})


def _extremes(shapes: NDArray[np.int64]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Height and width of the smallest and of the largest area."""
    by_area = shapes[np.argsort(shapes[:, 0] * shapes[:, 1], kind="stable")]
    return (int(by_area[0, 0]), int(by_area[0, 1])), (int(by_area[-1, 0]), int(by_area[-1, 1]))


def contradictions(groups: NDArray[np.int64], labels: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The members of each group that holds more than one label, or of several labels (N K) more than one set."""
    if labels.ndim == 2:
        labels = np.unique(labels, axis=0, return_inverse=True)[1].reshape(-1)
    lowest = np.full(int(groups.max()) + 1, np.iinfo(np.int64).max)
    highest = np.full(len(lowest), -1)
    np.minimum.at(lowest, groups, labels)
    np.maximum.at(highest, groups, labels)
    members = np.flatnonzero((lowest != highest)[groups])
    members = members[np.argsort(groups[members], kind="stable")]
    if not len(members):
        return []
    return list(np.split(members, np.flatnonzero(np.diff(groups[members])) + 1))


def _names(pictures: Pictures, members: NDArray[np.int64]) -> tuple[str, ...]:
    return tuple(f"{pictures.names[index]} ({pictures.label(index)})" for index in members)


def _findings(report: DataReport, left_out: int) -> Iterator[Sentence]:
    if report.contradictions:
        first = " = ".join(report.contradictory[0][:SHOWN])
        yield sentence("finding.contradictory-pictures", n=report.contradictions, example=first)
    if left_out:
        yield sentence("finding.left-out", n=left_out)
    if report.unreadable:
        named = listed([f"{name} ({reason})" for name, reason in report.unreadable])
        yield sentence("finding.unreadable-files", n=len(report.unreadable), names=named)
    if report.duplicates:
        yield copied("finding.copied-pictures", report.duplicates, report.examples)
    if report.near_duplicates:
        yield sentence("finding.near-pictures", n=report.near_duplicates)
    named = listed([f"{name} ({report.class_counts[name]})" for name in report.tiny_classes])
    yield from of_classes(report.class_counts, len(report.tiny_classes), named, report.imbalance)
    if report.mixed_sizes:
        (low_h, low_w), (high_h, high_w) = report.sizes
        yield sentence("finding.mixed-sizes", low=f"{low_h} x {low_w}", high=f"{high_h} x {high_w}")
    if report.non_square:
        yield sentence("finding.not-square", n=report.non_square, total=report.examples)
