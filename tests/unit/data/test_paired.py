"""Differences of two versions on the same examples: known figures, and what must hold of any scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies
from numpy.typing import NDArray
from scipy.stats import binomtest, ttest_rel

from glassworks.catalog import get
from glassworks.contracts import Evaluation, ExampleScores, Measurement, Task
from glassworks.data.intervals import wilson
from glassworks.data.paired import measured, newcombe, paired, unpaired
from glassworks.packaging.evaluating import differences

BITS = strategies.lists(strategies.tuples(strategies.booleans(), strategies.booleans()), min_size=1, max_size=40)


def scores(*values: float, **how: object) -> ExampleScores:
    return ExampleScores(values=np.array(values, np.float64), **how)  # type: ignore[arg-type]


def test_a_share_has_wilsons_interval_and_leaves_out_what_it_does_not_apply_to() -> None:
    found = measured(scores(1, 0, 1, np.nan))
    assert found is not None
    assert (found.value, found.examples, found.interval) == (2 / 3, 3, wilson(2, 3))
    assert measured(scores(np.nan)) is None


def test_newcombes_published_example() -> None:
    """Newcombe (1998), table III, method 10: 36 both, 12 and 2 of one alone, 0 of neither, of 50."""
    ours = np.repeat([1.0, 1, 0], [36, 12, 2])
    theirs = np.repeat([1.0, 0, 1], [36, 12, 2])
    assert newcombe(ours, theirs) == pytest.approx((0.0569, 0.3404), abs=1e-4)


@given(BITS)
def test_differences_of_shares_are_turned_around(bits: list[tuple[bool, bool]]) -> None:
    ours, theirs = (scores(*map(float, side)) for side in zip(*bits, strict=True))
    one, other = paired(ours, theirs), paired(theirs, ours)
    assert one is not None
    assert other is not None
    assert one.value == pytest.approx(-other.value)
    assert one.interval == pytest.approx((-other.interval[1], -other.interval[0]))
    assert -1 <= one.interval[0] <= one.value <= one.interval[1] <= 1
    assert (one.better, one.worse) == (other.worse, other.better)
    assert one.better is not None
    assert one.worse is not None
    if one.better + one.worse:
        assert one.p_value == pytest.approx(binomtest(one.better, one.better + one.worse).pvalue)


def test_differences_of_numbers_are_about_as_wide_as_students() -> None:
    random = np.random.default_rng(0)
    theirs = random.normal(3, 2, 60)
    ours = theirs + random.normal(0.5, 1, 60)
    found = paired(scores(*ours), scores(*theirs))
    assert found is not None
    student = ttest_rel(ours, theirs).confidence_interval()
    assert found.interval == pytest.approx((student.low, student.high), abs=0.05)
    assert found.value == pytest.approx(float((ours - theirs).mean()))


def test_the_interval_of_few_skewed_differences_is_that_of_samples_drawn_one_by_one() -> None:
    """Each resample written out, its standard error from the influence of its members on both metrics."""
    random, n = np.random.default_rng(0), 12
    weights, theirs = random.integers(1, 9, n).astype(float), random.normal(1, 0.5, n)
    ours = theirs + random.exponential(0.3, n)

    def both(rows: NDArray[np.int64]) -> tuple[float, float]:
        w, sides = weights[rows], (ours[rows], theirs[rows])
        metrics = [float(np.exp(np.average(side, weights=w))) for side in sides]
        moved = [
            metric * w / w.mean() * (side - np.average(side, weights=w))
            for metric, side in zip(metrics, sides, strict=True)
        ]
        return metrics[0] - metrics[1], float(np.sqrt(((moved[0] - moved[1]) ** 2).sum() / (n * (n - 1))))

    value, error = both(np.arange(n))
    counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=2000)
    drawn = np.array([both(np.repeat(np.arange(n), count)) for count in counts])
    steps = (drawn[:, 0] - value) / np.sqrt((1 - 1 / n) * drawn[:, 1] ** 2 + error**2 / n)
    (low, high), far = np.quantile(steps, (0.025, 0.975)), np.quantile(np.abs(steps), 0.95)
    how = {"weights": weights, "exponential": True}
    found = paired(scores(*ours, **how), scores(*theirs, **how))
    assert found is not None
    assert found.value == pytest.approx(value)
    assert found.interval == pytest.approx((value - max(high, far) * error, value + max(-low, far) * error))
    same = paired(scores(*ours), scores(*(ours - 0.5)))
    assert same is not None and same.interval == pytest.approx((0.5, 0.5)), "all differ alike"


def test_perplexity_counts_tokens() -> None:
    """Texts of 1 and 99 tokens: the long one decides."""
    weights = np.array([1.0, 99])
    ours = scores(5, 1, weights=weights, exponential=True, higher_is_better=False)
    theirs = scores(1, 2, weights=weights, exponential=True, higher_is_better=False)
    found = paired(ours, theirs)
    assert found is not None
    assert found.other == pytest.approx(np.exp(1.99))
    assert found.value == pytest.approx(np.exp(1.04) - np.exp(1.99))
    assert (found.better, found.worse) == (1, 1)
    assert found.rise[1] == -found.value


def test_without_scores_of_examples_intervals_are_compared() -> None:
    one, other = (
        Measurement(value=value, interval=(value - half, value + half), examples=50)
        for value, half in ((0.8, 0.03), (0.7, 0.04))
    )
    found = unpaired(one, other)
    assert found.interval == pytest.approx((0.05, 0.15))
    assert not found.paired
    ours, theirs = (
        Evaluation(50, {"f1": each, "accuracy": each}, scores={"accuracy": scores(1, 0)}, fingerprint=mark)
        for each, mark in ((one, "a"), (other, "b"))
    )
    assert not any(each.paired for each in differences(ours, theirs).values()), "they are about different examples"


def test_what_each_example_adds_makes_the_metrics_of_a_task() -> None:
    random = np.random.default_rng(0)
    targets = random.integers(0, 3, 80)
    probabilities = random.dirichlet((1, 1, 1), 80).astype(np.float32)
    for name in ("text-classification", "image-classification"):
        task = get(Task, name)
        metrics = task.evaluate(lambda _: probabilities, targets)
        each = task.each(lambda _: probabilities, targets)
        assert {"accuracy", "balanced_accuracy", "log_loss"} == set(each)
        for metric, values in each.items():
            found = measured(values)
            assert found is not None
            assert found.value == pytest.approx(metrics[metric].value)
            assert found.higher_is_better == metrics[metric].higher_is_better
