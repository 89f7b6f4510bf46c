"""What is found in pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from glassworks.contracts import Progress
from glassworks.data.checks import check_pictures, contradictions
from glassworks.data.collection import Pictures
from glassworks.data.dataset import part_findings
from glassworks.data.duplicates import Duplicates, find_duplicates
from glassworks.data.picture_labels import picture_label_issues
from glassworks.data.preview.opening import numbers_of
from glassworks.data.reader import Reading, read_pictures
from glassworks.data.reports.records import (
    MOST,
    Candidate,
    First,
    Report,
    Shown,
    copies_of,
    first,
    groups_of,
    unreadable,
    within,
)
from glassworks.errors import MissingLibrary
from glassworks.sentences import Sentence, sentence


def report_pictures(data: Any, progress: Progress) -> Report:
    """Copies side by side, contradictions, unreadable files, classes and sizes."""
    progress.start("read")
    pictures = read_pictures(data.source, Reading.of(data), min_classes=1)
    progress.finish(f"{len(pictures):,} pictures of {len(pictures.classes)} classes")
    progress.start("compare")
    duplicates = find_duplicates(pictures.looks)
    found = check_pictures(pictures, duplicates)
    progress.finish(f"{found.distinct:,} are distinct")
    number = _numbers(data, pictures)

    def shown(row: int) -> Shown:
        name = pictures.names[row]
        return Shown(index=number.get(name), name=name, label=pictures.label(row))

    candidates, findings = _candidates(pictures, duplicates, shown, progress)
    return Report(
        source=data.source,
        kind="pictures",
        examples=found.examples,
        distinct=found.distinct,
        class_counts=found.class_counts,
        duplicates=copies_of(within(duplicates.exact), duplicates.pairs, shown),
        contradictions=groups_of(contradictions(duplicates.near, pictures.labels), shown),
        candidates=candidates,
        unreadable=unreadable((*found.unreadable, *found.left_out)),
        numbers={**_sizes(pictures), "near_duplicates": found.near_duplicates, "imbalance": found.imbalance},
        fingerprint=found.fingerprint,
        findings=(*part_findings(pictures, duplicates, data), *found.findings, *findings),
    )


def _numbers(data: Any, pictures: Pictures) -> dict[str, int]:
    """Of names the numbers that a preview of the source has for them; other parts may have sources of their own."""
    first = "train: " if Reading.of(data).files else ""
    names = [name.removeprefix(first) for name in pictures.names if name.startswith(first)]
    return {first + name: number for name, number in numbers_of(data.source, names).items()}


def _candidates(
    pictures: Pictures, duplicates: Duplicates, shown: Callable[[int], Shown], progress: Progress
) -> tuple[First[Candidate] | None, tuple[Sentence, ...]]:
    """Labels that look wrong, and what is found of them in a sentence."""
    progress.start("classify")
    try:
        issues, looked = picture_label_issues(pictures, duplicates.near)
    except MissingLibrary as error:
        return None, (Sentence(text=f"{error.problem}; {error.mend}"),)
    progress.finish()
    few = [
        Candidate(example=shown(each.row), suggested=each.suggested, probability=round(each.probability, 6))
        for each in issues[:MOST]
    ]
    if not issues:
        return first(few), ()
    example = f"{few[0].example.name} ({few[0].example.label})"
    return first(few, len(issues)), (sentence("finding.suspects", n=len(issues), total=looked, example=example),)


def _sizes(pictures: Pictures) -> dict[str, Any]:
    sides = pictures.looks.shapes[:, :2]
    gray = int(np.sum(pictures.looks.shapes[:, 2] == 1))
    return {"smallest": sides.min(axis=0).tolist(), "largest": sides.max(axis=0).tolist(), "gray": gray}
