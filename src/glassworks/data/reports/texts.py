"""What is found in texts: the study of their labels too, where they have any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from glassworks.contracts import Progress
from glassworks.data.reports.records import (
    MOST,
    Candidate,
    First,
    Report,
    Rows as Indexes,
    Shown,
    copies_of,
    cut,
    first,
    groups_of,
    unreadable,
    within,
)
from glassworks.data.text.checks import LabelCandidate, TextReport, check_texts, contradictory
from glassworks.data.text.collection import Texts, collect
from glassworks.data.text.duplicates import Copies, find_copies
from glassworks.data.text.reader import Columns, Row, Rows, read_rows
from glassworks.data.text.study import study_texts
from glassworks.errors import DataError
from glassworks.sentences import Sentence, sentence

_NO_LABEL = "-"
_FIRST = "train: "
"""How the names of rows of the source itself begin, where other parts have files of their own."""


def report_texts(data: Any, progress: Progress) -> Report:
    """Copies, contradictions, and with labels: which look wrong, and what a leaking split would have pretended."""
    texts, number = _read(data.source, Columns.of(data), progress)
    progress.start("compare")
    copies = find_copies(texts.texts, texts.same)
    found = check_texts(texts, copies)
    progress.finish(f"{found.distinct:,} are distinct")
    found = _studied(data, texts, copies, found, progress)

    def shown(row: int) -> Shown:
        name, label = texts.names[row], texts.labels(row) if data.label else ""
        return Shown(index=number.get(name), name=name, label=label, text=cut(texts.texts[row]))

    return Report(
        source=data.source,
        kind="texts",
        examples=found.examples,
        distinct=found.distinct,
        class_counts=found.class_counts if data.label else {},
        duplicates=copies_of(within(copies.same), _near(copies), shown),
        contradictions=groups_of(contradictory(texts, copies), shown),
        candidates=None if found.candidates is None else _candidates(found.candidates, number),
        unreadable=unreadable(found.unreadable),
        honest_split=found.honest_split,
        random_split=found.random_split,
        numbers={"lengths": found.lengths, "near_duplicates": found.near_duplicates, "imbalance": found.imbalance},
        fingerprint=found.fingerprint,
        findings=found.findings if data.label else _without_classes(found),
    )


def _near(copies: Copies) -> Indexes:
    """Pairs of texts that are near copies, of each text once."""
    distinct = np.unique(copies.same, return_index=True)[1]
    pairs: Indexes = distinct[within(copies.near[distinct])]
    return pairs


def _without_classes(found: TextReport) -> tuple[Sentence, ...]:
    about_classes = ("finding.tiny-classes", "finding.imbalanced")
    others = (each for each in found.findings if each.code not in about_classes)
    return sentence("finding.no-labels"), *others


def _read(source: str, columns: Columns, progress: Progress) -> tuple[Texts, Mapping[str, int]]:
    """The texts, and of their names the numbers that a preview has for them. Texts without labels are of one class."""
    progress.start("read")
    read = read_rows(source, columns)
    rows = [Row(*row) for row in read]
    number = {row.name: index for index, row in enumerate(rows) if not columns.files or row.name.startswith(_FIRST)}
    if not columns.label:
        rows = [row._replace(label=_NO_LABEL) for row in rows]
    texts = collect(source, Rows(rows, getattr(read, "findings", ())), columns)
    progress.finish(f"{len(texts):,} texts")
    return texts, number


def _studied(data: Any, texts: Texts, copies: Copies, found: TextReport, progress: Progress) -> TextReport:
    """With what it takes a classifier to see; without it where there are too few texts, or one class."""
    if len(texts.classes) < 2:
        return found
    progress.start("classify")
    try:
        found = study_texts(texts, validation=data.validation, test=data.test, seed=data.seed, copies=copies)
    except DataError as error:
        found = found.model_copy(update={"findings": (*found.findings, Sentence(text=error.problem))})
    progress.finish()
    return found


def _candidates(found: tuple[LabelCandidate, ...], number: Mapping[str, int]) -> First[Candidate]:
    few = [
        Candidate(
            example=Shown(index=number.get(each.name), name=each.name, label=each.label, text=cut(each.text)),
            suggested=each.suggested,
            probability=each.probability,
        )
        for each in found[:MOST]
    ]
    return first(few, len(found))
