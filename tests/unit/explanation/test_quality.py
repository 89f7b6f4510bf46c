"""The grade itself is graded: an oracle map beats a random one, an inverted one loses, counts are exact."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from glassworks.explanation.quality import STEPS, agreement, grade, importance_order, removal_curves

WEIGHTS = np.random.default_rng(5).random((1, 12, 12), dtype=np.float32)


def score(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """A model whose true importance is known: the weighted share of what is left."""
    total: NDArray[np.float32] = (rows * WEIGHTS).sum(axis=(1, 2, 3)) / WEIGHTS.sum()
    return total


IMAGE = np.ones((1, 1, 12, 12), np.float32)
BLACK = np.zeros_like(IMAGE)


def test_oracle_beats_random_beats_inverted() -> None:
    generator = np.random.default_rng(0)
    maps = [WEIGHTS, generator.random(WEIGHTS.shape, dtype=np.float32), -WEIGHTS]
    z = [grade(score, IMAGE, values[None], BLACK, seed=1)["faithfulness_z"] for values in maps]
    assert z[0] > 3 > abs(z[1])
    assert z[2] < -3


def test_the_scale_of_the_values_does_not_matter() -> None:
    assert grade(score, IMAGE, WEIGHTS[None], BLACK, 1) == grade(score, IMAGE, 10 * WEIGHTS[None], BLACK, 1)


@pytest.mark.parametrize("zeros", [0.81, 0.9, 0.99])
def test_sparse_maps_remove_exactly_what_was_asked(zeros: float) -> None:
    values = np.zeros((1, 20, 20), np.float32)
    count = round(values.size * (1 - zeros))
    values.ravel()[np.random.default_rng(0).permutation(values.size)[:count]] = 1
    order = importance_order(values, seed=3)
    assert sorted(order.tolist()) == list(range(400))
    assert set(order[:count]) == set(np.flatnonzero(values))
    left: list[int] = []

    def remaining(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        left.extend(int(row.sum()) for row in rows)
        return np.asarray(rows.mean(axis=(1, 2, 3)))

    image = np.ones((1, 1, 20, 20), np.float32)
    removal_curves(remaining, image, np.zeros_like(image), [order])
    assert left == [400, 0, *(400 - round(400 * step / STEPS) for step in range(1, STEPS))]


def test_ties_are_broken_by_the_seed_alone() -> None:
    flat = np.zeros((1, 8, 8), np.float32)
    assert np.array_equal(importance_order(flat, 1), importance_order(flat, 1))
    assert not np.array_equal(importance_order(flat, 1), importance_order(flat, 2))


def test_a_constant_model_gives_no_faithfulness_and_its_own_probability() -> None:
    graded = grade(lambda rows: np.full(len(rows), 0.9, np.float32), IMAGE, WEIGHTS[None], BLACK, 0)
    assert graded["faithfulness_z"] == 0
    assert graded["deletion_auc"] == pytest.approx(0.9)
    assert graded["insertion_auc"] == pytest.approx(0.9)


def test_all_channels_of_a_pixel_go_together() -> None:
    image = np.ones((1, 3, 4, 4), np.float32)
    seen: list[NDArray[np.float32]] = []

    def keep(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        seen.append(rows)
        return np.asarray(rows.mean(axis=(1, 2, 3)))

    removal_curves(keep, image, np.zeros_like(image), [np.arange(16)])
    for row in np.concatenate(seen):
        assert np.array_equal(row[0], row[1])
        assert np.array_equal(row[0], row[2])


def test_agreement_with_oneself_and_with_the_opposite() -> None:
    assert agreement(WEIGHTS, WEIGHTS) == {"spearman": pytest.approx(1.0), "top_tenth_iou": 1.0}
    assert agreement(WEIGHTS, -WEIGHTS)["spearman"] == pytest.approx(-1.0)
    assert agreement(WEIGHTS, -WEIGHTS)["top_tenth_iou"] == 0.0
