"""What is found in pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassworks.contracts import Progress
from glassworks.data.checks import check_pictures, contradictions
from glassworks.data.collection import Pictures
from glassworks.data.duplicates import find_duplicates
from glassworks.data.preview.opening import numbers_of
from glassworks.data.reader import Reading, read_pictures
from glassworks.data.reports.records import Report, Shown, copies_of, groups_of, unreadable, within


def report_pictures(data: Any, progress: Progress) -> Report:
    """Copies side by side, contradictions, unreadable files, classes and sizes."""
    progress.start("read")
    pictures = read_pictures(data.source, Reading.of(data), min_classes=1)
    progress.finish(f"{len(pictures):,} pictures of {len(pictures.classes)} classes")
    progress.start("compare")
    duplicates = find_duplicates(pictures.looks)
    found = check_pictures(pictures, duplicates)
    progress.finish(f"{found.distinct:,} are distinct")
    number = numbers_of(data.source, pictures.names)

    def shown(row: int) -> Shown:
        name = pictures.names[row]
        return Shown(index=number.get(name), name=name, label=pictures.label(row))

    return Report(
        source=data.source,
        kind="pictures",
        examples=found.examples,
        distinct=found.distinct,
        class_counts=found.class_counts,
        duplicates=copies_of(within(duplicates.exact), duplicates.pairs, shown),
        contradictions=groups_of(contradictions(duplicates.near, pictures.labels), shown),
        unreadable=unreadable((*found.unreadable, *found.left_out)),
        numbers={**_sizes(pictures), "near_duplicates": found.near_duplicates, "imbalance": found.imbalance},
        fingerprint=found.fingerprint,
        findings=found.findings,
    )


def _sizes(pictures: Pictures) -> dict[str, Any]:
    sides = pictures.looks.shapes[:, :2]
    gray = int(np.sum(pictures.looks.shapes[:, 2] == 1))
    return {"smallest": sides.min(axis=0).tolist(), "largest": sides.max(axis=0).tolist(), "gray": gray}
