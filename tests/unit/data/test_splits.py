"""Splits are partitions that no group of copies crosses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from glassworks.data.splits import PARTS, split

Labelled = tuple[NDArray[np.int64], NDArray[np.int64]]


@st.composite
def labelled(draw: st.DrawFn) -> Labelled:
    """Labels and groups; some groups hold several labels."""
    count = draw(st.integers(1, 120))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    groups = generator.integers(0, draw(st.integers(1, 2 * count)), count)
    classes = draw(st.integers(1, 6))
    labels = groups % classes
    mixed = generator.random(count) < draw(st.sampled_from([0.0, 0.2]))
    return np.where(mixed, generator.integers(0, classes, count), labels), groups


SHARES = st.floats(0.01, 0.49)


@given(labelled(), SHARES, SHARES, st.integers(0, 2**32))
def test_a_partition_that_no_group_crosses(data: Labelled, validation: float, test: float, seed: int) -> None:
    labels, groups = data
    parts = split(labels, groups, validation, test, seed)
    assert tuple(parts) == PARTS
    assert np.array_equal(np.sort(np.concatenate(list(parts.values()))), np.arange(len(labels)))
    sides = [set(groups[part].tolist()) for part in parts.values()]
    assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
    again = split(labels, groups, validation, test, seed)
    assert all(np.array_equal(parts[name], again[name]) for name in PARTS)


@given(st.lists(st.integers(3, 40), min_size=1, max_size=6), SHARES, SHARES, st.integers(0, 100))
def test_shares_are_kept_in_every_class(sizes: list[int], validation: float, test: float, seed: int) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    parts = split(labels, np.arange(len(labels)), validation, test, seed)
    for number, size in enumerate(sizes):
        got = {name: int((labels[parts[name]] == number).sum()) for name in PARTS}
        assert min(got.values()) >= 1
        assert got["validation"] == min(max(1, round(validation * size)), size - 2)
        assert got["test"] == min(max(1, round(test * size)), size - 1 - got["validation"])


def test_another_seed_is_another_split() -> None:
    labels = np.arange(200) % 4
    first, second = (split(labels, np.arange(200), 0.15, 0.15, seed)["test"] for seed in (0, 1))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("sizes", [(10, 1, 1), (1, 10, 1), (5, 5, 5), (2, 9, 3, 1)])
def test_three_groups_are_enough_for_three_parts(sizes: tuple[int, ...]) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    parts = split(np.zeros(len(groups), np.int64), groups, 0.49, 0.49, 0)
    assert all(len(part) for part in parts.values())
    assert max(sizes) in {sizes[group] for group in groups[parts["train"]]}


def test_of_two_groups_of_a_class_one_is_learned_and_one_measured_and_a_single_one_is_learned() -> None:
    labels = np.array([0, 0, 1, 1, 1, 1, 2])
    parts = split(labels, np.arange(7), 0.2, 0.2, 0)
    assert {name: np.bincount(labels[part], minlength=3).tolist() for name, part in parts.items()} == {
        "train": [1, 2, 1],
        "validation": [0, 1, 0],
        "test": [1, 1, 0],
    }


def test_ten_thousand_classes() -> None:
    labels = np.repeat(np.arange(10_000), 3)
    parts = split(labels, np.arange(30_000), 0.15, 0.15, 0)
    assert {name: len(part) for name, part in parts.items()} == dict.fromkeys(PARTS, 10_000)
