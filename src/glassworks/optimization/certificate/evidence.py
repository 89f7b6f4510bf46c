"""What a certificate is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from glassworks.contracts import Candidate, ExampleScores, Load, Measurement
from glassworks.optimization.certificate.quantiles import Bounded, quantile
from glassworks.optimization.certificate.ratios import mean, ratio

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SHARES: Mapping[str, float] = {"latency_p50": 0.5, "latency_p99": 0.99}
THROUGHPUT = "throughput"


@dataclass(frozen=True, eq=False)
class Series:
    """Requests to one model in the order of time: the seconds of each (N), and those of each block (M) of requests that
    were under way together, with `rows` rows a block."""

    seconds: NDArray[np.float64]
    blocks: NDArray[np.float64]
    rows: int


@dataclass(frozen=True, eq=False)
class Pair:
    """Both models at one load, in random turns."""

    ours: Series
    theirs: Series

    def of(self, name: str, series: Series) -> Bounded:
        """A latency in milliseconds or a throughput in rows a second, of one of the two."""
        if name == THROUGHPUT:
            found = mean(series.blocks)
            low = series.rows / found.high if found.high > 0 else 0.0
            high = series.rows / found.low if found.low > 0 else float("inf")
            return Bounded(series.rows / found.value, low, high, len(series.seconds))
        found = quantile(series.seconds, _SHARES[name])
        return Bounded(1e3 * found.value, 1e3 * found.low, 1e3 * found.high, found.samples)

    def ratio(self, name: str) -> Bounded:
        """Ours by theirs."""
        if name == THROUGHPUT:  # theirs takes longer where ours gives more
            return ratio(self.theirs.blocks, self.ours.blocks, _mean)
        statistic: Callable[[NDArray[np.float64]], float] = partial(_quantile, share=_SHARES[name])
        return ratio(self.ours.seconds, self.theirs.seconds, statistic)


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """A candidate and its reference as the search measured them, and what the served ones did: `pairs` by load, and of
    each metric both values (`metrics`), and those example by example on the same ones (`scores`), ours first. `same`
    says that both are one artifact, so that nothing can differ."""

    candidate: Candidate
    reference: Candidate
    same: bool = False
    examples: int = 0
    pairs: Mapping[Load, Pair] = field(default_factory=dict)
    metrics: Mapping[str, tuple[Measurement, Measurement]] = field(default_factory=dict)
    scores: Mapping[str, tuple[ExampleScores, ExampleScores]] = field(default_factory=dict)


def is_timed(name: str) -> bool:
    """Whether the served path says it of a load."""
    return name in _SHARES or name == THROUGHPUT


def _quantile(values: NDArray[np.float64], share: float) -> float:
    import numpy as np

    return float(np.quantile(values, share))


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean())
