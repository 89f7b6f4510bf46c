"""Conversations whose answers are chosen among few are texts with labels, and are measured as whole answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from glassworks.contracts import Dataset, Split
from glassworks.data.conversations.choices import Choices, choices_of

Pair = tuple[str, str]
LABELLED = {
    "train": [*((f"text {number}", ("a", "b", "b")[number % 3]) for number in range(9)), ("text 9", "seen once")],
    "validation": [("v", "a"), ("w", "b")],
    "test": [("x", "a"), ("y", "b"), ("z", "never seen")],
}


def item(question: str, answer: str, **more: Any) -> str:
    turns = [{"role": "system", "content": "s"}, {"role": "user", "content": question}]
    return json.dumps({"messages": [*turns, {"role": "assistant", "content": answer}], "tools": [], **more})


def dataset(splits: Mapping[str, Sequence[Pair]], **more: Any) -> Dataset:
    found = {}
    for name, rows in splits.items():
        x = np.empty(len(rows), object)
        x[:] = [item(*row, **more) for row in rows]
        found[name] = Split(x=x, y=np.ones(len(rows), np.int64))
    return Dataset(name="d", fingerprint="f", classes=(), splits=found)


def chosen(splits: Mapping[str, Sequence[Pair]]) -> Choices:
    found = choices_of(dataset(splits))
    assert found is not None
    return found


def test_few_answers_are_labels() -> None:
    found = chosen(LABELLED)
    assert found.dataset.classes == ("a", "b")
    assert found.dataset.splits["train"].x.tolist() == [f"text {number}" for number in range(9)]
    assert found.dataset.splits["train"].y.tolist() == [0, 1, 1] * 3


def test_an_answer_that_was_never_seen_cannot_be_right() -> None:
    measured = chosen(LABELLED).measure(np.array([[0.9, 0.1], [0.2, 0.8], [0.9, 0.1]]))["exact_match"]
    assert (measured.value, measured.examples) == (2 / 3, 3)


def test_the_most_frequent_answer() -> None:
    assert chosen(LABELLED).constant()["exact_match"].value == 1 / 3


def objects(count: int, numbers: bool) -> list[Pair]:
    rows = []
    for row in range(count):
        fields = {"color": ("red", "blue")[row % 2], "round": row % 3 == 0, **({"number": row} if numbers else {})}
        rows.append((f"text {row}", json.dumps(fields)))
    return rows


def test_fields_are_chosen_each_by_itself() -> None:
    found = chosen({name: objects(12, numbers=False) for name in ("train", "validation", "test")})
    assert found.dataset.classes == ('color: "blue"', 'color: "red"', "round: false", "round: true")
    truth = found.dataset.splits["train"].y
    assert truth.sum(axis=1).tolist() == [2] * 12
    assert found.measure(truth)["exact_match"].value == 1
    wrong = truth.copy()
    wrong[0, :2] = wrong[0, 1::-1]
    assert found.measure(wrong)["exact_match"].value == pytest.approx(11 / 12)


def test_a_field_that_is_always_another_is_not_chosen_and_no_object_is_right() -> None:
    found = chosen({name: objects(12, numbers=True) for name in ("train", "validation", "test")})
    assert not any(name.startswith("number") for name in found.dataset.classes)
    assert found.measure(found.dataset.splits["train"].y)["exact_match"].value == 0


@pytest.mark.parametrize("missing", ["train", "validation", "test"])
def test_a_split_without_rows_is_nothing_to_choose_from(missing: str) -> None:
    assert choices_of(dataset({**LABELLED, missing: []})) is None


def test_other_conversations_are_not_chosen() -> None:
    different = [(f"text {row}", f"answer {row}") for row in range(9)]
    assert choices_of(dataset({**LABELLED, "train": different})) is None
    assert choices_of(dataset({**LABELLED, "train": [("q", "a")] * 9})) is None
    assert choices_of(dataset(LABELLED, tools=[{"type": "function"}])) is None
    assert choices_of(dataset(LABELLED, rejected=[{"role": "assistant", "content": "b"}])) is None
    plain = Split(x=np.array(["a text", "another"], object), y=np.zeros(2, np.int64))
    splits = dict.fromkeys(("train", "validation", "test"), plain)
    assert choices_of(Dataset(name="d", fingerprint="f", classes=(), splits=splits)) is None


def test_questions_after_other_answers_are_not_texts() -> None:
    turns = [{"role": role, "content": "c"} for role in ("user", "assistant", "user", "assistant")]
    whole = dataset(LABELLED)
    whole.splits["test"].x[0] = json.dumps({"messages": turns, "tools": []})
    assert choices_of(whole) is None
