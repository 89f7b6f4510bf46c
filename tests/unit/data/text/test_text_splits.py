"""Splits of texts never leak: no copy and no near copy stands on both sides."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glassworks.contracts import Dataset
from glassworks.data.text.collection import collect
from glassworks.data.text.dataset import prepare_texts
from glassworks.data.text.duplicates import NEAR, find_copies
from glassworks.data.text.reader import Columns, Row
from glassworks.data.text.sameness import plain
from glassworks.errors import DataError

PARTS = ("train", "validation", "test")
WORDS = (
    "这本书",
    "很好",
    "房间",
    "太小",
    "service",
    "breakfast",
    "was",
    "cold",
    "快递",
    "包装",
    "质量",
    "一般",
    "friendly",
)
DRESSES = (str.upper, lambda t: f"  {t} !!", lambda t: t.replace(" ", ""), lambda t: "，".join(t.split(" ")), str.title)
"""What leaves letters and digits as they are."""


def sentence(generator: np.random.Generator, words: int) -> str:
    return " ".join(generator.choice(WORDS, words).tolist()) + f" {generator.integers(10**9)}"


@st.composite
def rows_with_copies(draw: st.DrawFn) -> list[Row]:
    """Sentences in two classes, some again in another dress, some with a word more at the end."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = []
    for number in range(draw(st.integers(6, 30))):
        text, label = sentence(generator, int(generator.integers(2, 14))), "ab"[number % 2]
        copies = [text]
        for _ in range(int(generator.integers(0, 4))):
            dress = DRESSES[int(generator.integers(len(DRESSES)))]
            copies.append(dress(text) + ("", "", " 完")[int(generator.integers(3))])
        rows += [Row(f"{number}.{index}", copy, label) for index, copy in enumerate(copies)]
    order = generator.permutation(len(rows))
    return [rows[index] for index in order]


def prepared(rows: list[Row], seed: int = 0, test: float = 0.2, separator: str = "") -> Dataset:
    return prepare_texts(
        collect("test", rows, Columns(separator=separator, same="letters")), validation=0.2, test=test, seed=seed
    )


def jaccard(one: str, other: str) -> float:
    parts = [{key[at : at + 3] for at in range(len(key) - 2)} for key in (plain(one), plain(other))]
    return len(parts[0] & parts[1]) / max(len(parts[0] | parts[1]), 1)


@given(rows_with_copies(), st.integers(0, 100))
def test_no_copy_and_no_near_copy_stands_on_both_sides(rows: list[Row], seed: int) -> None:
    dataset = prepared(rows, seed)
    parts = [dataset.splits[name].x.tolist() for name in PARTS]
    for one, other in combinations(parts, 2):
        assert not {plain(text) for text in one} & {plain(text) for text in other}
        for left in one:
            for right in other:
                assert min(len(plain(left)), len(plain(right))) < 8 or jaccard(left, right) < NEAR, (left, right)


@given(rows_with_copies(), st.integers(0, 100))
def test_each_text_is_kept_once_and_the_same_seed_is_the_same_split(rows: list[Row], seed: int) -> None:
    first, again = prepared(rows, seed), prepared(rows, seed)
    kept = [plain(text) for name in PARTS for text in first.splits[name].x.tolist()]
    assert sorted(kept) == sorted({plain(row.text) for row in rows})
    for name in PARTS:
        assert first.splits[name].x.tolist() == again.splits[name].x.tolist()
        assert first.splits[name].y.tolist() == again.splits[name].y.tolist()
    label = {row.text: row.label for row in rows}
    for part in first.splits.values():
        assert [first.classes[each] for each in part.y] == [label[text] for text in part.x]


def test_another_seed_is_another_split_and_shares_are_kept() -> None:
    generator = np.random.default_rng(0)
    rows = [Row(str(n), sentence(generator, 8), "aab"[n % 3]) for n in range(300)]
    one, other = prepared(rows, 0), prepared(rows, 1)
    assert one.splits["test"].x.tolist() != other.splits["test"].x.tolist()
    for dataset in (one, other):
        assert {name: np.bincount(part.y).tolist() for name, part in dataset.splits.items()} == {
            "train": [120, 60],
            "validation": [40, 20],
            "test": [40, 20],
        }


def test_near_copies_are_found_whatever_lies_between_them() -> None:
    generator = np.random.default_rng(1)
    texts = [sentence(generator, 30) for _ in range(500)]
    changed = [text.replace(text.split(" ")[3], "另外", 1) for text in texts]
    close = np.array([jaccard(*pair) >= NEAR for pair in zip(texts, changed, strict=True)])
    near = find_copies([*texts, *changed]).near
    assert close.sum() > 300
    assert (near[:500] == near[500:])[close].mean() > 0.99
    assert len(np.unique(near[:500])) > 490


def test_short_texts_are_compared_exactly_only() -> None:
    near = find_copies(["not good", "not goods", "NOT  GOOD!", "好", "好。", "好的", "!!!", "???"]).near
    assert near.tolist() == [0, 1, 0, 2, 2, 3, 4, 5]


def test_very_long_texts_are_compared_by_their_beginnings() -> None:
    generator = np.random.default_rng(0)
    characters = list(map(chr, range(0x4E00, 0x9000)))
    head, *ends = ("".join(generator.choice(characters, 20_000).tolist()) for _ in range(3))
    other = ends[1] + head
    assert find_copies([head + ends[0], head + ends[1] * 20, other, "短的文章在这里面写"]).near.tolist() == [0, 0, 1, 2]


def test_contradictory_texts_are_left_out_and_reported() -> None:
    generator = np.random.default_rng(0)
    rows = [Row(f"r{n}", sentence(generator, 8), "ab"[n % 2]) for n in range(40)]
    dataset = prepared([*rows, Row("r40", rows[0].text.upper() + "!", "b")])
    kept = [plain(text) for part in dataset.splits.values() for text in part.x.tolist()]
    assert len(kept) == 39
    assert plain(rows[0].text) not in kept
    assert dataset.findings[0].startswith("contradictory labels: 1 texts have different labels")
    assert "r0 (a)" in dataset.findings[0] and "r40 (b)" in dataset.findings[0]


def test_many_labels_are_split_by_the_rarest() -> None:
    generator = np.random.default_rng(0)
    rows = [Row(str(n), sentence(generator, 8), "a" if n % 10 else "a|rare") for n in range(200)]
    dataset = prepared(rows, separator="|")
    assert {name: part.y.sum(axis=0).tolist() for name, part in dataset.splits.items()} == {
        "train": [120, 12],
        "validation": [40, 4],
        "test": [40, 4],
    }


def test_nothing_to_measure_is_an_error() -> None:
    with pytest.raises(DataError, match="no class has 3 distinct texts") as caught:
        prepared([Row(str(n), "ab"[n % 2], "ab"[n % 2]) for n in range(20)])
    assert "copies of the same one do not count" in caught.value.mend


def test_only_contradictions_is_an_error() -> None:
    with pytest.raises(DataError, match="10 of 10 texts have several rows"):
        prepared([Row(str(n), f"text number {n // 2}", "ab"[n % 2]) for n in range(20)])


def test_the_order_does_not_change_the_fingerprint() -> None:
    rows: list[Row] = [Row("1", "one", "a"), Row("2", "two", "b"), Row("3", "three", "a")]
    first, turned, other = (collect("x", each) for each in (rows, rows[::-1], [*rows[:2], Row("3", "three", "b")]))
    assert first.fingerprint == turned.fingerprint != other.fingerprint
