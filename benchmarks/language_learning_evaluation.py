"""Figures of evaluations: how often 95 % intervals of metrics and of paired differences hold the truth.

python benchmarks/language_learning_evaluation.py coverage [ROUNDS] [CASES]

Examples are drawn from known populations; CASES is what names begin with. Widths are those of the paired differences'
intervals against Student's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from glassworks.contracts import ExampleScores
from glassworks.data.paired import measured, paired

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


def lognormal(n: int) -> Callable[[Random], Drawn]:
    """Similarities that rise by very different amounts: the skewness is 3.7."""

    def draw(random: Random) -> Drawn:
        theirs = random.beta(0.5, 2, n)
        return _scores(theirs + 0.05 * random.lognormal(0, 0.8, n)), _scores(theirs)

    return draw


def alike(n: int, share: float) -> Callable[[Random], Drawn]:
    """Two versions that give such a share of answers alike, as they mostly do; the other answers' gains are skewed."""

    def draw(random: Random) -> Drawn:
        theirs = random.beta(0.5, 2, n)
        rises = np.where(random.random(n) < share, 0.0, random.exponential(0.2, n))
        return _scores(theirs + rises), _scores(theirs)

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
    "numbers, n 20, lognormal": (lognormal(20), 0.2 + 0.05 * np.exp(0.32), 0.05 * np.exp(0.32)),
    "numbers, n 20, half alike": (alike(20, 0.5), 0.3, 0.1),
    "numbers, n 50, skewed": (numbers(50, 0.05, skewed=True), 0.25, 0.05),
    "numbers, n 50, half alike": (alike(50, 0.5), 0.3, 0.1),
    "numbers, n 200, skewed": (numbers(200, 0.05, skewed=True), 0.25, 0.05),
    "perplexity, n 30": (perplexities(30), np.exp(3.0), np.exp(3.0) - np.exp(3.1)),
    "perplexity, n 200": (perplexities(200), np.exp(3.0), np.exp(3.0) - np.exp(3.1)),
}
"""Name -> what draws the examples, the true metric, and the true difference."""


def coverage(rounds: int, begin: str) -> Iterator[tuple[str, float, float, float | None]]:
    """Of each case, the share of intervals that hold the metric, and that hold the difference; and the median width of
    the latter over Student's, where it is a mean's."""
    for name, (draw, value, difference) in CASES.items():
        if not name.startswith(begin):
            continue
        random, inside, widths = np.random.default_rng(0), [0, 0], list[float]()
        for _ in range(rounds):
            ours, theirs = draw(random)
            apart = paired(ours, theirs)
            for number, (found, truth) in enumerate(((measured(ours), value), (apart, difference))):
                inside[number] += found is not None and found.interval[0] <= truth <= found.interval[1]
            error = np.std(ours.values - theirs.values, ddof=1) / np.sqrt(len(ours.values))
            if apart is not None and error and not ours.exponential:
                student = 2 * error * float(t.ppf(0.975, len(ours.values) - 1))
                widths.append((apart.interval[1] - apart.interval[0]) / student)
        yield name, inside[0] / rounds, inside[1] / rounds, float(np.median(widths)) if widths else None


def _scores(values: NDArray[np.generic]) -> ExampleScores:
    return ExampleScores(values=values.astype(float))


def main(rounds: int, begin: str) -> None:
    """Print the figures."""
    print("| case | intervals that hold the metric | the difference | width |\n| --- | --- | --- | --- |")
    for name, own, other, width in coverage(rounds, begin):
        print(f"| {name} | {own:.1%} | {other:.1%} | {'' if width is None else f'{width:.2f}'} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] != ["coverage"]:
        sys.exit(__doc__)
    main(int(sys.argv[2]) if len(sys.argv) > 2 else 1000, "".join(sys.argv[3:4]))
