"""Figures of evaluations: how often 95 % intervals of metrics and of paired differences hold the truth.

python benchmarks/language_learning_evaluation.py coverage

Examples are drawn from known populations.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import ExampleScores
from glassworks.data.paired import measured, paired

_ROUNDS = 1000
Drawn = tuple[ExampleScores, ExampleScores]
Random = np.random.Generator


def shares(n: int, both: float, better: float, worse: float) -> Callable[[Random], Drawn]:
    """Right answers of two versions: by both, by one alone, by the other alone."""

    def draw(random: Random) -> Drawn:
        kinds = random.choice(4, n, p=(both, better, worse, 1 - both - better - worse))
        return _scores(np.isin(kinds, (0, 1))), _scores(np.isin(kinds, (0, 2)))

    return draw


def numbers(n: int, rise: float, skewed: bool) -> Callable[[Random], Drawn]:
    """Similarities of answers of two versions, which go together."""

    def draw(random: Random) -> Drawn:
        theirs = random.beta(0.5, 2, n) if skewed else random.normal(0.5, 0.2, n)
        own = random.exponential(0.1, n) - 0.1 if skewed else random.normal(0, 0.1, n)
        return _scores(theirs + own + rise), _scores(theirs)

    return draw


def perplexities(n: int) -> Callable[[Random], Drawn]:
    """Texts of 5 to 500 tokens, the mean log-probability 3 and 3.1."""

    def draw(random: Random) -> Drawn:
        weights = random.integers(5, 500, n).astype(float)
        theirs = random.normal(3.1, 0.5, n)
        ours = theirs - 0.1 + random.normal(0, 0.1, n)
        return tuple(  # type: ignore[return-value]
            ExampleScores(values=each, weights=weights, exponential=True, higher_is_better=False)
            for each in (ours, theirs)
        )

    return draw


CASES: dict[str, tuple[Callable[[Random], Drawn], float, float]] = {
    "shares, n 20, no difference": (shares(20, 0.6, 0.1, 0.1), 0.7, 0.0),
    "shares, n 20, 0.9 of 0.7": (shares(20, 0.68, 0.22, 0.02), 0.9, 0.2),
    "shares, n 50, 0.95 of 0.93": (shares(50, 0.92, 0.03, 0.01), 0.95, 0.02),
    "shares, n 200, 0.6 of 0.5": (shares(200, 0.45, 0.15, 0.05), 0.6, 0.1),
    "shares, n 1000, 0.8 of 0.8": (shares(1000, 0.75, 0.05, 0.05), 0.8, 0.0),
    "numbers, n 20": (numbers(20, 0.05, skewed=False), 0.55, 0.05),
    "numbers, n 20, skewed": (numbers(20, 0.05, skewed=True), 0.25, 0.05),
    "numbers, n 200, skewed": (numbers(200, 0.05, skewed=True), 0.25, 0.05),
    "perplexity, n 30": (perplexities(30), np.exp(3.0), np.exp(3.0) - np.exp(3.1)),
    "perplexity, n 200": (perplexities(200), np.exp(3.0), np.exp(3.0) - np.exp(3.1)),
}
"""Name -> what draws the examples, the true metric, and the true difference."""


def coverage() -> Iterator[tuple[str, float, float]]:
    """Of each case, the share of intervals that hold the metric, and that hold the difference."""
    for name, (draw, value, difference) in CASES.items():
        random, inside = np.random.default_rng(0), [0, 0]
        for _ in range(_ROUNDS):
            ours, theirs = draw(random)
            for number, (found, truth) in enumerate(((measured(ours), value), (paired(ours, theirs), difference))):
                inside[number] += found is not None and found.interval[0] <= truth <= found.interval[1]
        yield name, inside[0] / _ROUNDS, inside[1] / _ROUNDS


def _scores(values: NDArray[np.generic]) -> ExampleScores:
    return ExampleScores(values=values.astype(float))


def main() -> None:
    """Print the figures."""
    print("| case | intervals that hold the metric | the difference |\n| --- | --- | --- |")
    for name, own, other in coverage():
        print(f"| {name} | {own:.1%} | {other:.1%} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:] != ["coverage"]:
        sys.exit(__doc__)
    main()
