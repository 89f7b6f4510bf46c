"""How much a user likes an item: counts and repetitions, as far as the job lets them count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glassworks.data.interactions.collection import Interactions
from glassworks.data.interactions.times.spans import ORDER
from glassworks.errors import DataError

if TYPE_CHECKING:
    from glassworks.data.interactions.keys import InteractionData

_HUGE = 1e6
"""Times a usual weight, above which more says no more."""
_LEAST, _MOST = 0.1, 10.0
"""Times a usual like: no pair counts less or more."""


def strength_of(log: Interactions, data: InteractionData) -> NDArray[np.float32] | None:
    """What each pair counts after each interaction (N): the power `data.strength` of the sum of its weights until then,
    by that of a usual pair, the median; None where all count alike.

    With `data.positive` weights say whether something is liked, and each time that it is counts 1. With a half-life,
    what came before counts by its age. Raises DataError for one without times.
    """
    if data.half_life is not None and (log.time is None or int(np.abs(log.time).max(initial=0)) < ORDER):
        raise DataError("data.half_life needs dates, and there are none", "name their column, data.time = ...")
    if data.strength == 0 or not len(log):
        return None
    weight = np.where(log.liked, 1.0 if data.positive is not None else log.weight.astype(np.float64), 0.0)
    if log.liked.any():  # sums over all pairs would lose the others beside a number without measure
        weight = np.minimum(weight, _HUGE * np.median(weight[log.liked]))
    pair = log.user.astype(np.int64) * log.shape[1] + log.item
    amount = _running(pair, weight, log.time, data.half_life)
    last = np.ones(len(log), np.bool_)
    order = np.argsort(pair, kind="stable")
    last[order[:-1]] = pair[order[1:]] != pair[order[:-1]]
    usual = amount[last & log.liked]
    if not len(usual) or np.all(amount[log.liked] == usual[0]):
        return None
    found = np.maximum(amount / np.median(usual), 0) ** data.strength
    return np.clip(found, _LEAST, _MOST).astype(np.float32)


def _running(
    pair: NDArray[np.int64], weight: NDArray[np.float64], time: NDArray[np.int64] | None, half_life: float | None
) -> NDArray[np.float64]:
    """The sum of the weights of each pair until each of its interactions, of which the older ones have faded."""
    order = np.argsort(pair, kind="stable")
    first = np.append(True, pair[order[1:]] != pair[order[:-1]])
    total = weight[order].copy()
    if half_life is None or time is None:
        sums = np.cumsum(total)
        before = np.maximum.accumulate(np.where(first, np.arange(len(total)), 0))
        total = sums - (sums[before] - total[before])
    else:
        gap = np.append(0.0, np.diff(time[order].astype(np.float64)))
        kept = np.where(first, 0.0, np.exp2(-np.maximum(gap, 0) / half_life))
        for row in np.flatnonzero(~first):
            total[row] += kept[row] * total[row - 1]
    found = np.empty_like(total)
    found[order] = total
    return found
