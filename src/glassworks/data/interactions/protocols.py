"""How interactions are cut into what a model learns from and what it must find: always over all items, never a sample.

In each cut the history of a user is what it met before its first target. Where a user meets an item again, only the
first time can be a target: what was seen is not recommended.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glassworks.data.interactions.collection import Interactions, Sparse, sparse_rows
from glassworks.errors import DataError

if TYPE_CHECKING:
    Rows = NDArray[np.int64]

SHARE, LEAST, FOLDS = 0.2, 5, 5
"""Of a user's liked items this share is to be found, of users with at least so many; and folds of users."""
FEWEST = 2
"""Liked items without which there is no history beside what is to be found."""
FEW_USERS = 200
"""Below so many users intervals are so wide that few differences can be seen."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """`train` is what a model learns from. `users` (N) are those who are asked, by their number in the log; `history`
    (N I) is how much an item was liked, 1 as usual, and an explicit 0 where it was only met, `weights` the same with
    weights as given; `targets` are items, one array a user."""

    train: Interactions
    users: NDArray[np.int64]
    history: Sparse
    weights: Sparse
    targets: tuple[NDArray[np.int32], ...]

    def __len__(self) -> int:
        return len(self.targets)


def leave_last_out(log: Interactions, back: int = 0) -> Cut:
    """Each user's last liked item is to be found (with `back` the one so many before); what the user met before it is
    learned, and all of users with too few. It lets a model know what others do later."""
    _timed(log, "leave_last_out")
    rows = _fresh_likes(log)
    per_user = _grouped(log.user, rows)
    chosen = [each[-1 - back] for each in per_user if len(each) >= back + 2]
    _some(chosen, f"has {back + 2} liked items")
    limit = np.full(log.shape[0], len(log), np.int64)
    limit[log.user[chosen]] = chosen
    train = log.part(np.arange(len(log)) < limit[log.user])
    return _cut(log, train, [np.array([row]) for row in sorted(chosen)])


def before_targets(log: Interactions, cuts: Sequence[Cut]) -> Interactions:
    """What happened before a user's first target in any of the cuts, whose targets are one item each."""
    limit = np.full(log.shape[0], len(log), np.int64)
    pair = log.user.astype(np.int64) * log.shape[1] + log.item
    known, first = np.unique(pair, return_index=True)
    for cut in cuts:
        asked = cut.users * log.shape[1] + np.concatenate(cut.targets)
        np.minimum.at(limit, cut.users, first[np.searchsorted(known, asked)])
    return log.part(np.arange(len(log)) < limit[log.user])


def temporal(log: Interactions, cut: float, upto: float = 1.0, window: int = 0, least: int = LEAST) -> Cut:
    """The model knows what happened until the quantile `cut * upto` of time; users with `least` liked items after it
    are asked for the last fifth of these (with `window` the fifth before), and their histories go on until there.
    Nothing after the quantile `upto` is known at all."""
    time = _timed(log, "temporal")
    end, moment = np.quantile(time, upto), np.quantile(time, cut * upto)
    known = log if upto == 1 else log.part(time <= end)
    rows = _fresh_likes(known)
    wanted = []
    for each in _grouped(known.user, rows[_timed(known, "temporal")[rows] > moment]):
        if len(each) >= least:
            size = math.ceil(SHARE * len(each))
            wanted.append(each[len(each) - size * (window + 1) : len(each) - size * window])
    _some(wanted, f"likes {least} items after the cut")
    return _cut(known, known.part(_timed(known, "temporal") <= moment), wanted)


def strict_temporal(log: Interactions, cut: float) -> Cut:
    """One cut in time: what a user meets after it cannot enter its history. Raises DataError where hardly any user
    has one: then the fallback for unknown users would be measured, not the model."""
    time = _timed(log, "strict_temporal")
    moment = np.quantile(time, cut)
    rows = _fresh_likes(log)
    wanted = _grouped(log.user, rows[time[rows] > moment])
    _some(wanted, "likes an item after the cut")
    train = log.part(time <= moment)
    warm = int(np.isin([log.user[each[0]] for each in wanted], train.user).sum())
    if warm < FEW_USERS:
        raise DataError(
            f"'{log.source}': only {warm:,} of {len(wanted):,} users who like something after the cut were there "
            f"before it; a strict cut needs {FEW_USERS}",
            'set data.protocol = "temporal", in which histories go on',
        )
    return _cut(log, train, wanted)


def strong_generalization(
    log: Interactions, users: Sequence[int] | NDArray[np.int64], seed: int, least: int = LEAST
) -> Cut:
    """Nothing of `users` is learned; a random fifth of what each of them likes is to be found from the rest of it."""
    asked = np.zeros(log.shape[0], np.bool_)
    asked[np.asarray(users, np.int64)] = True
    rows = _fresh_likes(log)
    wanted, history = [], []
    for each in _grouped(log.user, rows[asked[log.user[rows]]]):
        if len(each) >= least:
            order = np.random.default_rng([seed, int(log.user[each[0]])]).permutation(len(each))
            size = math.ceil(SHARE * len(each))
            wanted.append(each[np.sort(order[:size])])
            history.append(each[np.sort(order[size:])])
    _some(wanted, f"likes {least} items")
    return _cut(log, log.part(~asked[log.user]), wanted, _with_repetitions(log, np.concatenate(history)))


def last_fifth(log: Interactions) -> Cut:
    """Nothing is learned; the last fifth of what each user likes is to be found from what was before: of users with
    five liked items, or where there are none, with two."""
    users = _grouped(log.user, _fresh_likes(log))
    least = LEAST if any(len(each) >= LEAST for each in users) else FEWEST
    wanted = [each[-math.ceil(SHARE * len(each)) :] for each in users if len(each) >= least]
    _some(wanted, f"likes {FEWEST} items")
    return _cut(log, log.part(np.zeros(len(log), np.bool_)), wanted)


def asked_by(log: Interactions, test: float, least: int) -> dict[str, int]:
    """About how many users each protocol asks, those first that say more of what a model will meet; users with fewer
    liked items than `least` are not asked."""
    rows = _fresh_likes(log)
    likes = np.bincount(log.user[rows], minlength=log.shape[0])
    found: dict[str, int] = {}
    if log.time is not None:
        late = rows[log.time[rows] > np.quantile(log.time, 1 - test)]
        found["temporal"] = int(np.sum(np.bincount(log.user[late], minlength=log.shape[0]) >= least))
        found["leave_last_out"] = int(np.sum(likes >= FEWEST))
    return {**found, "strong_generalization": round(test * int(np.sum(likes >= least)))}


def fold_of_users(log: Interactions, fold: int, seed: int, folds: int = FOLDS) -> NDArray[np.int64]:
    """The users of one of the folds, chosen at random."""
    return np.sort(np.random.default_rng(seed).permutation(log.shape[0])[fold::folds])


def _timed(log: Interactions, protocol: str) -> NDArray[np.int64]:
    if log.time is None:
        raise DataError(
            f"'{log.source}' has no times, which the protocol {protocol} needs",
            'name the column, data.time = ..., or set data.protocol = "strong_generalization"',
        )
    return log.time


def _some(found: Sequence[object], need: str) -> None:
    if not found:
        raise DataError(f"no user {need}: nothing can be measured", "give more interactions, or another data.protocol")


def _fresh_likes(log: Interactions) -> Rows:
    """Rows in which a user likes an item that it meets for the first time."""
    pair = log.user.astype(np.int64) * log.shape[1] + log.item
    first = np.zeros(len(log), np.bool_)
    first[np.unique(pair, return_index=True)[1]] = True
    return np.flatnonzero(first & log.liked)


def _with_repetitions(log: Interactions, rows: Rows) -> Rows:
    """All interactions of the same users with the same items, where they make these count more."""
    if log.strength is None:
        return rows
    pair = log.user.astype(np.int64) * log.shape[1] + log.item
    return np.flatnonzero(np.isin(pair, pair[rows]))


def _grouped(user: NDArray[np.int32], rows: Rows) -> list[Rows]:
    """The rows of each user, in order, by the users' number."""
    order = rows[np.argsort(user[rows], kind="stable")]
    return [each for each in np.split(order, np.flatnonzero(np.diff(user[order])) + 1) if len(each)]


def _cut(log: Interactions, train: Interactions, wanted: Sequence[Rows], history: Rows | None = None) -> Cut:
    """`wanted` are rows of targets, a user each; without `history` it is all rows before a user's first target."""
    users = np.array([log.user[each[0]] for each in wanted], np.int64)
    order = np.argsort(users, kind="stable")
    if history is None:
        limit = np.zeros(log.shape[0], np.int64)
        limit[users] = [each[0] for each in wanted]
        history = np.flatnonzero(np.arange(len(log)) < limit[log.user])
    position = np.full(log.shape[0], -1, np.int32)
    position[users[order]] = np.arange(len(users))
    row, item, shape = position[log.user[history]], log.item[history], (len(users), log.shape[1])
    return Cut(
        train=train,
        users=users[order],
        history=sparse_rows(row, item, log.values()[history], shape),
        weights=sparse_rows(row, item, log.weight[history], shape),
        targets=tuple(log.item[wanted[index]] for index in order),
    )


def some(cut: Cut) -> Cut:
    """The cut itself. Raises DataError where nobody is asked."""
    _some(cut.targets, "in one of the parts likes enough items")
    return cut


def narrowed(cut: Cut, rows: NDArray[np.int64]) -> Cut:
    """Some of the users who are asked."""
    targets = tuple(cut.targets[row] for row in rows)
    return replace(cut, users=cut.users[rows], history=cut.history[rows], weights=cut.weights[rows], targets=targets)
