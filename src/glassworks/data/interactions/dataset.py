"""Interactions become a data set: cut by a protocol, with requests as examples and what came next as targets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Dataset, Split
from glassworks.data.interactions import protocols
from glassworks.data.interactions.collection import Interactions
from glassworks.data.interactions.keys import InteractionData
from glassworks.data.interactions.protocols import FEW_USERS, Cut
from glassworks.data.interactions.reading import read_interactions

if TYPE_CHECKING:
    from glassworks.config import Job

ASKED = 20
_MOST_ASKED, _CALIBRATION, _FOLDS = 5_000, 512, 4
_COLUMNS = ("user", "item", "time", "weight", "positive", "separator")


@dataclass(frozen=True, kw_only=True)
class InteractionsDataset(Dataset):
    """`cut` is what the model learns from and the test users; `validation` has earlier targets that it does not learn
    from either; settings are chosen on `tuning`, whose training parts are earlier still where time cuts. `log` is
    everything."""

    log: Interactions
    cut: Cut
    validation: Cut
    tuning: tuple[Cut, ...]
    protocol: str

    @property
    def examples(self) -> int:
        return len(self.log)


def prepare_job(job: Job) -> InteractionsDataset:
    """Raises DataError where nothing can be learned or measured."""
    data = InteractionData.of(job)
    return prepare_interactions(read_interactions(data), data)


def prepare_interactions(log: Interactions, data: InteractionData) -> InteractionsDataset:
    """The log cut by the job's protocol; at most 5,000 users are asked in each part."""
    protocol = data.protocol
    if protocol == "auto":
        protocol = "strong_generalization" if log.time is None else "temporal"
    cut, validation, *tuning = (_narrowed(each, data.seed) for each in _CUTS[protocol](log, data))
    few = (f"only {len(cut):,} users are asked in the test split: below {FEW_USERS} most differences are noise",)
    return InteractionsDataset(
        name=log.source,
        fingerprint=log.fingerprint,
        classes=(),
        splits={
            "train": _of_users(cut.train),
            "validation": requests_of(validation),
            "test": requests_of(cut),
        },
        findings=(*map(str, log.findings), *(few if len(cut) < FEW_USERS else ())),
        log=log,
        cut=cut,
        validation=validation,
        tuning=tuple(tuning),
        protocol=protocol,
    )


def read_split(source: str, preprocessing: Mapping[str, Any]) -> Split:
    """Another source in the columns of the model's data: the last fifth of what each user likes is to be found."""
    data = InteractionData.model_validate({**preprocessing.get("columns", {}), "source": source})
    return requests_of(protocols.last_fifth(read_interactions(data)))


def columns_of(job: Job) -> dict[str, Any]:
    """The columns of the job's source by their roles, as `read_split` takes them."""
    return InteractionData.of(job).model_dump(include=set(_COLUMNS))


def requests_of(cut: Cut) -> Split:
    """A request a user, with the history up to the first target; `y` holds lists of the items that came next."""
    items = cut.train.items.to_list()
    rows, wanted = np.empty(len(cut), object), np.empty(len(cut), object)
    for row, targets in enumerate(cut.targets):
        begin, end = cut.history.indptr[row : row + 2]
        met = zip(cut.history.indices[begin:end].tolist(), cut.history.data[begin:end].tolist(), strict=True)
        history = [items[item] if liked else {"item": items[item], "weight": 0} for item, liked in met]
        who: dict[str, Any] = {"history": history} if history else {"user": ""}
        rows[row] = json.dumps({**who, "k": ASKED, "reasons": 0}, ensure_ascii=False)
        wanted[row] = [items[item] for item in targets.tolist()]
    return Split(x=rows, y=wanted)


def _of_users(train: Interactions) -> Split:
    """The first users of those who are learned from, by their ids."""
    users = np.unique(train.user[: 100 * _CALIBRATION])[:_CALIBRATION]
    rows, wanted = np.empty(len(users), object), np.empty(len(users), object)
    rows[:] = [json.dumps({"user": train.users[int(user)]}, ensure_ascii=False) for user in users]
    wanted[:] = [[] for _ in users]
    return Split(x=rows, y=wanted)


def _narrowed(cut: Cut, seed: int) -> Cut:
    if len(cut) <= _MOST_ASKED:
        return cut
    rows = np.random.default_rng(seed).choice(len(cut), _MOST_ASKED, replace=False)
    return protocols.narrowed(cut, np.sort(rows))


def _temporal(log: Interactions, data: InteractionData) -> tuple[Cut, ...]:
    share = 1 - data.test
    cut = protocols.temporal(log, share)
    return cut, protocols.temporal(log, share, window=1), protocols.temporal(log, share, upto=share)


def _leave_last_out(log: Interactions, data: InteractionData) -> tuple[Cut, ...]:
    """The model learns nothing from the last but one either."""
    validation = protocols.leave_last_out(log, back=1)
    return replace(protocols.leave_last_out(log), train=validation.train), validation, validation


def _strong(log: Interactions, data: InteractionData) -> tuple[Cut, ...]:
    order: NDArray[np.int64] = np.random.default_rng(data.seed).permutation(log.shape[0])
    test = max(1, round(data.test * len(order)))
    validation = max(1, round(data.validation * len(order)))
    first, second = np.sort(order[:test]), np.sort(order[test : test + validation])
    both = protocols.strong_generalization(log, np.sort(order[: test + validation]), data.seed)
    known = replace(both, train=log.part(~np.isin(log.user, order[: test + validation])))
    parts = [np.flatnonzero(np.isin(known.users, users)) for users in (first, second)]
    cut, other = (protocols.some(protocols.narrowed(known, rows)) for rows in parts)
    return cut, other, *folds(cut.train, data.seed)


def folds(train: Interactions, seed: int) -> list[Cut]:
    """Each user of `train` held out once: a validation with as many users as can be had."""
    users = np.random.default_rng(seed).permutation(np.unique(train.user))
    return [protocols.strong_generalization(train, users[fold::_FOLDS], seed) for fold in range(_FOLDS)]


def _strict_temporal(log: Interactions, data: InteractionData) -> tuple[Cut, ...]:
    share = 1 - data.test
    earlier = protocols.temporal(log, share, upto=share)
    return protocols.strict_temporal(log, share), earlier, earlier


_CUTS = {"temporal": _temporal, "leave_last_out": _leave_last_out, "strong_generalization": _strong}
_CUTS["strict_temporal"] = _strict_temporal
