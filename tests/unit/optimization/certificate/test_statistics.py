"""Bounds hold as often as they say, and agree with figures from the literature."""

from __future__ import annotations

import math

import numpy as np
import pytest

from glassworks.optimization.certificate.drops import Discordant, drop_bound, enough_examples, mid_p
from glassworks.optimization.certificate.quantiles import quantile
from glassworks.optimization.certificate.ratios import mean, ratio

_TWO_SIDED = 1.959963984540054


@pytest.mark.parametrize(("share", "n"), [(0.5, 60), (0.9, 100), (0.99, 500)])
def test_bounds_of_quantiles_hold_for_a_skewed_distribution(share: float, n: int) -> None:
    random, true = np.random.default_rng(1), -math.log(1 - share)
    found = [quantile(random.exponential(size=n), share) for _ in range(1500)]
    above, below = (np.mean([each.high >= true for each in found]), np.mean([each.low <= true for each in found]))
    # Order statistics hold at least as often as promised; the standard error of 1,500 simulations is 0.6 %.
    assert 0.94 <= above <= 0.99
    assert 0.94 <= below <= 0.99


def test_the_99th_percentile_needs_299_values() -> None:
    """0.99^299 is just below 5 %: before, not even the largest value is a bound."""
    assert quantile(np.arange(298.0), 0.99).high == math.inf
    assert quantile(np.arange(299.0), 0.99).high == 298.0
    assert quantile(np.arange(4.0), 0.5).low == -math.inf
    assert quantile(np.arange(5.0), 0.5).low == 0.0  # 1/2^5 is below 5 %


def test_a_ratio_holds_though_the_machine_moves() -> None:
    """Noise that lasts meets both: plain resampling of single calls would promise too much, windows do not."""
    random = np.random.default_rng(2)
    hits = []
    for seed in range(150):
        weather = np.repeat(np.exp(random.normal(0, 0.3, 40)), 10)
        one, two = (weather * random.gamma(20, 0.05, 400) for _ in range(2))
        found = ratio(1.3 * one, two, lambda values: float(np.median(values)), windows=20, seed=seed)
        hits.append((found.low <= 1.3, found.high >= 1.3))
    low, high = np.mean(hits, axis=0)
    assert low > 0.9
    assert high > 0.9
    assert ratio(np.ones(3), np.ones(3), lambda values: float(values.mean())).high == math.inf


def test_a_mean_holds() -> None:
    random = np.random.default_rng(3)
    found = [mean(random.exponential(size=300)) for _ in range(200)]
    assert np.mean([each.high >= 1 for each in found]) > 0.9
    assert np.mean([each.low <= 1 for each in found]) > 0.9


def test_tangos_interval_of_a_published_table() -> None:
    """Bentur et al. 2009, hyper-responsive airways of 21 children before and after a transplantation: 1 and 7
    discordant. Fagerland, Lydersen and Laake give (-0.517, -0.026)."""
    assert -drop_bound(Discordant(7, 1, 21), _TWO_SIDED) == pytest.approx(-0.517, abs=5e-4)
    assert drop_bound(Discordant(1, 7, 21), _TWO_SIDED) == pytest.approx(-0.026, abs=5e-4)


def test_mcnemars_mid_p_of_the_same_table() -> None:
    """0.039 two-sided (the same authors, 2013)."""
    assert 2 * mid_p(Discordant(7, 1, 21)) == pytest.approx(0.0391, abs=5e-5)
    assert mid_p(Discordant(0, 0, 9)) == 0.5


def test_the_score_bound_is_that_of_the_most_likely_table() -> None:
    """Against its definition: the share of "better" that makes the observed table most likely, found by trying."""
    from scipy.optimize import minimize_scalar

    worse, better, n, drop = 20, 8, 600, 0.03

    def unlikely(share: float) -> float:
        rest = 1 - 2 * share - drop
        return -(better * math.log(share) + worse * math.log(share + drop) + (n - worse - better) * math.log(rest))

    share = minimize_scalar(
        unlikely, bounds=(1e-9, (1 - drop) / 2 - 1e-9), method="bounded", options={"xatol": 1e-12}
    ).x
    z = (n * drop - worse + better) / math.sqrt(n * (2 * share + drop - drop**2))
    assert drop_bound(Discordant(worse, better, n), z) == pytest.approx(drop, abs=1e-6)


@pytest.mark.parametrize(
    ("n", "worse", "better"), [(200, 0.01, 0.005), (1200, 0.005, 0.0), (1200, 0.02, 0.015), (5000, 0.002, 0.002)]
)
def test_bounds_of_drops_hold(n: int, worse: float, better: float) -> None:
    random = np.random.default_rng(4)
    tables = random.multinomial(n, (worse, better, 1 - worse - better), size=1000)
    held = [drop_bound(Discordant(float(table[0]), float(table[1]), n)) >= worse - better for table in tables]
    assert np.mean(held) >= 0.935  # 95 %, less two standard errors


def test_a_bootstrap_would_promise_too_much() -> None:
    """Why the score bound is used: with few mistakes resampling finds no more of them, and sees no drop where none
    was seen."""
    table = Discordant(0, 0, 1200)
    assert drop_bound(table) == pytest.approx(1.645**2 / (1200 + 1.645**2), rel=1e-3)


def test_how_many_examples_would_prove_it() -> None:
    seen = Discordant(12, 10, 1200)
    bound = drop_bound(seen)
    assert bound > 0.005
    needed = enough_examples(seen, 0.005)
    assert needed is not None
    factor = needed / 1200
    assert drop_bound(Discordant(12 * factor, 10 * factor, needed)) <= 0.005
    fewer = (needed - 1) / 1200
    assert drop_bound(Discordant(12 * fewer, 10 * fewer, needed - 1)) > 0.005
    assert enough_examples(seen, bound) == pytest.approx(1200, abs=1)
    assert enough_examples(seen, 0.001) is None
    assert enough_examples(Discordant(0, 0, 100), 0.01) == pytest.approx(1.645**2 * 99, abs=2)
