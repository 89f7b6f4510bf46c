"""What is wrong with labelled texts, in numbers and in sentences for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Measurement
from glassworks.data.findings import TINY, copied, of_classes
from glassworks.data.text.collection import Texts
from glassworks.data.text.duplicates import Copies, find_copies
from glassworks.record import Record
from glassworks.sentences import Sentence, sentence

_NAMED, _SHOWN, _PAIRS, _SAMPLE = 20, 60, 3, 3
Kind = Literal["copies", "contradictory", "alike", "near"]


class LabelCandidate(Record):
    """A label that looks wrong: a classifier that did not see the text gives it only this `probability`."""

    name: str
    label: str
    suggested: str
    probability: float
    text: str


class Pair(Record):
    """Two texts, and what becomes of them: see `_pairs`."""

    kind: Kind
    one: str
    other: str


class TextReport(Record):
    """`examples` counts readable texts, `distinct` those that are not the same by `data.same`; `duplicates` the rest.

    `near_duplicates` counts distinct texts that are near copies of another one. `contradictions` counts groups of the
    same text under different labels; `contradictory` names the first 20. `alike` counts groups of texts with equal
    letters, which are not the same, under different labels; `pairs` shows the first ones of each kind. `lengths` are
    quantiles in characters. `honest_split` and `random_split` are the accuracy of an n-gram classifier on the test
    texts of the split that a job would learn from, and of one that takes rows at random, copies and all; `candidates`
    are ranked, the least probable label first. These three are None where they were not asked for. `sample` has the
    first three texts with their labels, as they were read.
    """

    examples: int
    distinct: int
    duplicates: int
    near_duplicates: int
    contradictions: int
    alike: int
    pairs: tuple[Pair, ...]
    contradictory: tuple[tuple[str, ...], ...]
    unreadable: tuple[tuple[str, str], ...]
    imbalance: float
    class_counts: dict[str, int]
    tiny_classes: tuple[str, ...]
    lengths: dict[str, int]
    sample: tuple[tuple[str, str], ...] = ()
    honest_split: Measurement | None = None
    random_split: Measurement | None = None
    candidates: tuple[LabelCandidate, ...] | None = None
    fingerprint: str
    findings: tuple[Sentence, ...]


def check_texts(texts: Texts, copies: Copies | None = None) -> TextReport:
    """Look for copies, contradictions, unreadable rows, imbalance and tiny classes."""
    copies = copies or find_copies(texts.texts, texts.same)
    counts = (
        texts.targets.sum(axis=0) if texts.multi_label else np.bincount(texts.targets, minlength=len(texts.classes))
    )
    distinct = int(copies.same.max()) + 1
    groups, alike = contradictory(texts, copies), _alike(texts, copies)
    lengths = np.array([len(text) for text in texts.texts])
    report = TextReport(
        examples=len(texts),
        distinct=distinct,
        duplicates=len(texts) - distinct,
        near_duplicates=distinct - (int(copies.near.max()) + 1),
        contradictions=len(groups),
        alike=len(alike),
        pairs=tuple(_pairs(texts, copies, groups, alike)),
        contradictory=tuple(_names(texts, members) for members in groups[:_NAMED]),
        unreadable=texts.unreadable,
        imbalance=round(float(counts.max() / max(counts.min(), 1)), 3),
        class_counts={name: int(count) for name, count in zip(texts.classes, counts, strict=True)},
        tiny_classes=tuple(name for name, count in zip(texts.classes, counts, strict=True) if count < TINY),
        sample=tuple((texts.texts[row][:_SHOWN], texts.labels(row)) for row in range(min(len(texts), _SAMPLE))),
        lengths={name: int(np.quantile(lengths, share)) for name, share in _QUANTILES.items()},
        fingerprint=texts.fingerprint,
        findings=(),
    )
    return report.model_copy(update={"findings": (*texts.findings, *_findings(report))})


_QUANTILES = {"smallest": 0.0, "median": 0.5, "p95": 0.95, "p99": 0.99, "largest": 1.0}


def contradictory(texts: Texts, copies: Copies) -> list[NDArray[np.int64]]:
    """The members of each group of the same text with different labels."""
    return _of_many_labels(texts, copies.same)


def _alike(texts: Texts, copies: Copies) -> list[NDArray[np.int64]]:
    """Of each group of texts with equal letters that have different labels: one of each that is not the same."""
    distinct = np.unique(copies.same, return_index=True)[1]
    groups = _of_many_labels(texts, copies.alike)
    return [kept for members in groups if len(kept := members[np.isin(members, distinct)]) > 1]


def _of_many_labels(texts: Texts, groups: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The members of each group in which labels differ."""
    _, code = np.unique(texts.targets, axis=0, return_inverse=True)
    order = np.argsort(groups, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    return [members for members in parts if len(members) > 1 and len(np.unique(code[members])) > 1]


def _pairs(
    texts: Texts, copies: Copies, contradictory: list[NDArray[np.int64]], alike: list[NDArray[np.int64]]
) -> Iterator[Pair]:
    """The first of each kind: `copies`, of which one is kept; `contradictory` ones, none of which is; those that are
    `alike` in letters, and `near` copies, which are kept."""
    order = np.argsort(copies.same, kind="stable")
    same = np.flatnonzero(np.diff(copies.same[order]) == 0)[:_PAIRS]
    found: dict[Kind, list[NDArray[np.int64]]] = {
        "copies": [order[[at, at + 1]] for at in same],
        "contradictory": [_of_each_label(texts, group) for group in contradictory[:_PAIRS]],
        "alike": [_of_each_label(texts, group) for group in alike[:_PAIRS]],
        "near": [*copies.pairs[:_PAIRS]],
    }
    for kind, pairs in found.items():
        for one, other, *_ in map(sorted, pairs):
            yield Pair(kind=kind, one=_shown(texts, one), other=_shown(texts, other))


def _of_each_label(texts: Texts, members: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first of each label."""
    return members[np.unique(texts.targets[members], axis=0, return_index=True)[1]]


def _shown(texts: Texts, row: int) -> str:
    return f"{texts.names[row]} ({texts.labels(row)}): {texts.texts[row][:_SHOWN]}"


def _names(texts: Texts, members: NDArray[np.int64]) -> tuple[str, ...]:
    return tuple(_shown(texts, row) for row in _of_each_label(texts, members))


def _findings(report: TextReport) -> Iterator[Sentence]:
    if report.contradictions:
        example = " = ".join(report.contradictory[0])
        yield sentence("finding.contradictory-texts", n=report.contradictions, example=example)
    if report.alike:
        example = next(f"{each.one} = {each.other}" for each in report.pairs if each.kind == "alike")
        yield sentence("finding.alike-texts", n=report.alike, example=example)
    if report.unreadable:
        name, reason = report.unreadable[0]
        yield sentence("finding.rows-left-out", n=len(report.unreadable), name=name, reason=reason)
    if report.duplicates:
        yield copied("finding.copied-texts", report.duplicates, report.examples)
    if report.near_duplicates:
        yield sentence("finding.near-texts", n=report.near_duplicates)
    named = ", ".join(f"{name} ({report.class_counts[name]})" for name in report.tiny_classes[:5])
    yield from of_classes(report.class_counts, len(report.tiny_classes), named, report.imbalance)
