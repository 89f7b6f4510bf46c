"""How much worse a candidate is than its reference on the same examples, and what these examples prove of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

_Z = 1.6448536269514722
"""Of the normal distribution, 95 % lie below."""
_STEPS = 200
MOST_EXAMPLES = 10**9


@dataclass(frozen=True)
class Discordant:
    """Examples that one of two models gets right: `worse` by the reference alone, `better` by the candidate alone, of
    `examples` in all. Numbers need not be whole where they stand for more examples of the same kind."""

    worse: float
    better: float
    examples: float

    @property
    def drop(self) -> float:
        """By how much the share of right answers falls."""
        return (self.worse - self.better) / self.examples


def drop_bound(found: Discordant, z: float = _Z) -> float:
    """The true drop is at most this, with 95 % probability: the score bound of Tango (1998), one-sided.

    It is the drop at which the score test of "so much or more" is just refused, also without any difference; the
    simulation in the tests says how often it holds. Newcombe's interval is the closed form nearest to it.
    """
    low, high = found.drop, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _score(found, middle) < z else (low, middle)
        if high - low < 1e-12:
            break
    return high


def _score(found: Discordant, drop: float) -> float:
    """By how many standard deviations the observed drop lies below `drop` (Tango 1998, equation 11): the variance is
    that of the most likely table with this drop."""
    n, worse, better = found.examples, found.worse, found.better
    # The most likely share of "better", q, solves 2 n q^2 + b q + c = 0.
    b = -worse - better + (2 * n - worse + better) * drop
    c = -better * drop * (1 - drop)
    share = (math.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
    variance = n * (2 * share + drop * (1 - drop))
    return (n * drop - worse + better) / math.sqrt(variance) if variance > 0 else 0.0


def mid_p(found: Discordant) -> float:
    """The probability of as much worsening or more where none is true: McNemar's test, one-sided and mid-p, which is
    less timid than the exact one (Fagerland, Lydersen and Laake 2013)."""
    from scipy.stats import binom

    n, worse = int(found.worse + found.better), int(found.worse)
    return float(binom.sf(worse, n, 0.5) + binom.pmf(worse, n, 0.5) / 2) if n else 0.5


def enough_examples(found: Discordant, limit: float) -> int | None:
    """How many examples of the same kind would prove that the drop is at most `limit`; None where no number would, as
    the observed drop is no smaller."""
    if found.drop >= limit:
        return None

    def proves(examples: float) -> bool:
        factor = examples / found.examples
        return drop_bound(Discordant(found.worse * factor, found.better * factor, examples)) <= limit

    low, high = 1, max(2, int(found.examples))
    while not proves(high):
        low, high = high, 2 * high
        if high > MOST_EXAMPLES:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if proves(middle) else (middle, high)
    return high
