"""What is to be known of interactions before anything is learned from them, in numbers and in sentences."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from glassworks.data.interactions.choosing import fitting
from glassworks.data.interactions.collection import Interactions
from glassworks.data.interactions.keys import InteractionData
from glassworks.data.interactions.times.spans import day
from glassworks.record import Record
from glassworks.sentences import Sentence, sentence

_FEW_USERS, _FEW_LIKES, _HEAVY = 200, 5, 0.5
_ONE_USER, _USUAL_TIMES = 0.1, 5
"""Who has this share of all interactions, and so many times those of a usual user, may stand for many people."""
_QUANTILES = {"smallest": 0.0, "median": 0.5, "p95": 0.95, "largest": 1.0}


class InteractionsReport(Record):
    """`examples` counts interactions, `distinct` pairs of user and item, `duplicates` further ones of the same pair,
    and `contradictions` pairs that are liked once and not another time; the last one counts.

    `density` is the share of all pairs that met; `likes_of_users` are quantiles, `top_items_share` the share of likes
    that the most popular hundredth of the items has; `never_liked` counts items that nobody likes.
    """

    examples: int
    distinct: int
    duplicates: int
    contradictions: int
    users: int
    items: int
    likes: int
    never_liked: int
    density: float
    begin: str
    end: str
    likes_of_users: dict[str, int]
    top_items_share: float
    described_by: tuple[str, ...]
    fingerprint: str
    findings: tuple[Sentence, ...]


def check_interactions(log: Interactions, data: InteractionData | None = None) -> InteractionsReport:
    """Look for repetitions, contradictions, sparsity, skew, and users of whom too little is known; with `data` for the
    protocol by which enough users can be asked, too."""
    met, likes = log.met(), log.likes()
    of_users = np.diff(likes.indptr)
    popularity = np.sort(log.popularity().astype(np.float64))[::-1]
    top = max(1, round(len(popularity) / 100))
    report = InteractionsReport(
        examples=len(log),
        distinct=met.nnz,
        duplicates=len(log) - met.nnz,
        contradictions=_contradictions(log),
        users=log.shape[0],
        items=log.shape[1],
        likes=likes.nnz,
        never_liked=int(np.sum(popularity == 0)),
        density=met.nnz / (log.shape[0] * log.shape[1]),
        begin=_day(log.time, 0),
        end=_day(log.time, -1),
        likes_of_users={name: int(np.quantile(of_users, share)) for name, share in _QUANTILES.items()},
        top_items_share=float(popularity[:top].sum() / popularity.sum()),
        described_by=(*log.columns.categories, *log.columns.numbers, *log.columns.texts),
        fingerprint=log.fingerprint,
        findings=(),
    )
    able = int(np.sum(of_users >= _FEW_LIKES))
    protocol = () if data is None else fitting(log, data)
    return report.model_copy(update={"findings": (*log.findings, *_heavy(log), *_findings(report, able), *protocol)})


def _heavy(log: Interactions) -> Iterator[Sentence]:
    """Somebody who met so much that it is rather everybody who was not signed in."""
    counts = np.bincount(log.user, minlength=log.shape[0])
    most = int(counts.argmax())
    if counts[most] > max(_ONE_USER * len(log), _USUAL_TIMES * float(np.median(counts))):
        yield sentence("finding.heavy-user", user=str(log.users[most])[:40], percent=100 * counts[most] / len(log))


def _contradictions(log: Interactions) -> int:
    pair = log.user.astype(np.int64) * log.shape[1] + log.item
    return len(np.intersect1d(np.unique(pair[log.liked]), np.unique(pair[~log.liked]), assume_unique=True))


def _day(time: NDArray[np.int64] | None, row: int) -> str:
    return "" if time is None else day(int(time[row]))


def _findings(report: InteractionsReport, able: int) -> Iterator[Sentence]:
    if not report.begin:
        yield sentence("finding.no-times")
    if report.duplicates:
        yield sentence("finding.repeated-pairs", n=report.duplicates)
    if report.contradictions:
        yield sentence("finding.contradictory-pairs", n=report.contradictions)
    if able < _FEW_USERS:
        yield sentence("finding.few-users", n=able, likes=_FEW_LIKES, least=_FEW_USERS)
    if report.top_items_share > _HEAVY:
        yield sentence("finding.popular-items", percent=round(100 * report.top_items_share))
    if report.never_liked:
        yield sentence("finding.never-liked", n=report.never_liked)
    if not report.described_by:
        yield sentence("finding.not-described")
