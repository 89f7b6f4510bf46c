"""What is found in interactions."""

from __future__ import annotations

from typing import Any

from glassworks.contracts import Progress
from glassworks.data.interactions.checks import check_interactions
from glassworks.data.interactions.reading import read_interactions
from glassworks.data.reports.records import Report, first

_ELSEWHERE = {"examples", "distinct", "fingerprint", "findings"}


def report_interactions(data: Any, progress: Progress) -> Report:
    """Repetitions, contradictions, sparsity and skew, in numbers."""
    progress.start("read")
    log = read_interactions(data)
    progress.finish(f"{len(log):,} interactions")
    progress.start("compare")
    found = check_interactions(log, data)
    progress.finish(f"{found.users:,} users, {found.items:,} items")
    return Report(
        source=data.source,
        kind="interactions",
        examples=found.examples,
        distinct=found.distinct,
        class_counts={},
        duplicates=first([], found.duplicates),
        contradictions=first([], found.contradictions),
        unreadable=first([]),
        numbers=found.model_dump(mode="json", exclude=_ELSEWHERE),
        fingerprint=found.fingerprint,
        findings=found.findings,
    )
