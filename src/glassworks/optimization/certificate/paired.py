"""How much worse a metric of a candidate is than the reference's on the same examples, with what that proves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glassworks.contracts import ExampleScores
from glassworks.data.paired import paired
from glassworks.optimization.certificate.drops import Discordant, drop_bound
from glassworks.optimization.certificate.quantiles import Bounded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCORE, BOOTSTRAP = "score bound of the paired drop (Tango 1998)", "bootstrap of the same examples"
WEIGHTED = f"the larger of {BOOTSTRAP} and {SCORE} for the effective number of examples (Kish 1965)"


def worsening(ours: ExampleScores, theirs: ExampleScores) -> tuple[Bounded, str, Discordant | None] | None:
    """By how much the metric is worse, with its bounds, by which method, and the discordant examples where an example
    is right or wrong. None where no example is in both.

    Resampling examples finds no mistake that was not seen: with few of them it promises too much, so what is right or
    wrong has the score bound, weighted examples that of as many as their weights are worth.
    """
    found = paired(ours, theirs)
    if found is None:
        return None
    low, worse, high = (0.0 - each for each in reversed(found.rise))
    table = discordant(ours, theirs)
    if table is None:
        return Bounded(worse, low, high, found.examples), BOOTSTRAP, None
    better = Discordant(table.better, table.worse, table.examples)
    bounds = -drop_bound(better), drop_bound(table)
    if ours.weights is None:
        return Bounded(worse, *bounds, found.examples), SCORE, table
    return Bounded(worse, min(low, bounds[0]), max(high, bounds[1]), found.examples), WEIGHTED, None


def discordant(ours: ExampleScores, theirs: ExampleScores) -> Discordant | None:
    """Examples that one of the two gets right, by their effective number where they have weights; None for a metric
    whose examples are more or less good."""
    import numpy as np

    both = np.isfinite(ours.values) & np.isfinite(theirs.values)
    one, two = (np.asarray(each.values, np.float64)[both] for each in (ours, theirs))
    if ours.exponential or not (np.isin(one, (0, 1)).all() and np.isin(two, (0, 1)).all()):
        return None
    weights = _weights(ours, both)
    examples = float(weights.sum() ** 2 / (weights**2).sum())
    share = examples / float(weights.sum())
    worse, better = (float(weights[found].sum()) * share for found in (two > one, one > two))
    if not ours.higher_is_better:
        worse, better = better, worse
    return Discordant(worse, better, examples)


def _weights(scores: ExampleScores, some: NDArray[np.bool_]) -> NDArray[np.float64]:
    import numpy as np

    return np.ones(int(some.sum())) if scores.weights is None else np.asarray(scores.weights, np.float64)[some]
