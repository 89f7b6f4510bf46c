"""Interactions become a data set: cut by a protocol, with requests as examples and what came next as targets."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Dataset, Split
from glassworks.data.interactions import protocols
from glassworks.data.interactions.choosing import ENOUGH, alternatives, said_of, usual_protocol
from glassworks.data.interactions.collection import Interactions
from glassworks.data.interactions.keys import InteractionData
from glassworks.data.interactions.protocols import FEW_USERS, Cut
from glassworks.data.interactions.reading import read_interactions
from glassworks.errors import DataError
from glassworks.sentences import Sentence, sentence

if TYPE_CHECKING:
    from glassworks.config import Job

ASKED = 20
_MOST_ASKED, _CALIBRATION, _FOLDS = 5_000, 512, 4
_COLUMNS = ("user", "item", "time", "time_format", "weight", "positive", "separator", "event", "weights", "strength")


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
    protocol, cuts, said = _chosen(log, data)
    cut, validation, *tuning = (_narrowed(each, data.seed) for each in cuts)
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
        findings=(*map(str, log.findings), *map(str, said), *(few if len(cut) < FEW_USERS else ())),
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
        history = [items[item] if value == 1 else {"item": items[item], "weight": value} for item, value in met]
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


def _chosen(log: Interactions, data: InteractionData) -> tuple[str, tuple[Cut, ...], tuple[Sentence, ...]]:
    """The protocol, its cuts, and what is said where `auto` takes another one than usual. Raises DataError, which names
    a protocol that can be measured by, where there is one."""
    usual = data.protocol if data.protocol != "auto" else usual_protocol(log)
    found: tuple[Cut, ...] = ()
    failed: DataError | None = None
    try:
        found = _CUTS[usual](log, data)
    except DataError as error:
        failed = error
    if failed is not None and log.time is None and usual != usual_protocol(log):
        raise failed  # the column of times is what is missing
    if failed is None and (data.protocol != "auto" or len(found[0]) >= ENOUGH):
        return usual, found, ()
    others = alternatives(log, data, usual)
    if failed is not None and not others:
        raise DataError(str(sentence("finding.nobody-comes-back")), "give interactions of users who come back")
    for other in others:
        if data.protocol != "auto" and failed is not None:
            raise DataError(failed.problem, f"set {other.keys}: about {other.asked:,} users can be asked") from None
        with contextlib.suppress(DataError):
            cuts = _CUTS[other.protocol](log, data.model_copy(update={"least_likes": other.least}))
            if not found or len(cuts[0]) > len(found[0]):
                return other.protocol, cuts, (said_of(other, usual, len(found[0]) if found else 0, len(cuts[0])),)
    if failed is not None:
        raise failed
    return usual, found, ()


def _temporal(log: Interactions, data: InteractionData) -> tuple[Cut, ...]:
    share, least = 1 - data.test, data.least_likes
    cut = protocols.temporal(log, share, least=least)
    validation = protocols.temporal(log, share, window=1, least=least)
    return cut, validation, protocols.temporal(log, share, upto=share, least=least)


def _leave_last_out(log: Interactions, data: InteractionData) -> tuple[Cut, ...]:
    """The model learns neither the last nor the last but one of anybody; where nobody has more than two, half of the
    users validate."""
    cut = protocols.leave_last_out(log)
    try:
        validation = protocols.leave_last_out(log, back=1)
    except DataError:
        order: NDArray[np.int64] = np.random.default_rng(data.seed).permutation(len(cut))
        halves = np.sort(order[::2]), np.sort(order[1::2])
        cut, validation = (protocols.some(protocols.narrowed(cut, half)) for half in halves)
    train = protocols.before_targets(log, (cut, validation))
    cut, validation = replace(cut, train=train), replace(validation, train=train)
    return cut, validation, validation


def _strong(log: Interactions, data: InteractionData) -> tuple[Cut, ...]:
    order: NDArray[np.int64] = np.random.default_rng(data.seed).permutation(log.shape[0])
    test = max(1, round(data.test * len(order)))
    validation = max(1, round(data.validation * len(order)))
    first, second = np.sort(order[:test]), np.sort(order[test : test + validation])
    both = protocols.strong_generalization(log, np.sort(order[: test + validation]), data.seed, data.least_likes)
    known = replace(both, train=log.part(~np.isin(log.user, order[: test + validation])))
    parts = [np.flatnonzero(np.isin(known.users, users)) for users in (first, second)]
    cut, other = (protocols.some(protocols.narrowed(known, rows)) for rows in parts)
    return cut, other, *folds(cut.train, data.seed, data.least_likes)


def folds(train: Interactions, seed: int, least: int = protocols.LEAST) -> list[Cut]:
    """Each user of `train` held out once: a validation with as many users as can be had."""
    users = np.random.default_rng(seed).permutation(np.unique(train.user))
    return [protocols.strong_generalization(train, users[fold::_FOLDS], seed, least) for fold in range(_FOLDS)]


def _strict_temporal(log: Interactions, data: InteractionData) -> tuple[Cut, ...]:
    share = 1 - data.test
    earlier = protocols.temporal(log, share, upto=share, least=data.least_likes)
    return protocols.strict_temporal(log, share), earlier, earlier


_CUTS = {"temporal": _temporal, "leave_last_out": _leave_last_out, "strong_generalization": _strong}
_CUTS["strict_temporal"] = _strict_temporal
