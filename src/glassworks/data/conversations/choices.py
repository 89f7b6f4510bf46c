"""Conversations as texts with labels, where a classifier could answer them: by choosing among answers seen before."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from glassworks.contracts import Dataset, Measurement, Split
from glassworks.data.intervals import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

METRIC = "exact_match"
_MOST_LABELS, _LEAST_SHARE = 100, 0.5
"""So many answers are few; where fewer of the training rows have one of them, answers are written, not chosen."""

Answer: TypeAlias = Mapping[str, str]
"""What is to be chosen, by its name: each field of a JSON object, or the whole text under the name ''."""


@dataclass(frozen=True, kw_only=True)
class Choices:
    """`dataset` has questions as texts and what is chosen as labels (N, or N K where answers are JSON objects, whose
    fields are chosen each by itself); its test split has no labels. `names` has of each label the field and its value,
    `truth` the known answers of the test split, `frequent` the answer that is most frequent in training.
    """

    dataset: Dataset
    names: tuple[tuple[str, str], ...]
    truth: tuple[Answer, ...]
    frequent: Answer

    def measure(self, probabilities: NDArray[Any]) -> dict[str, Measurement]:
        """The share of test questions that are answered exactly by the most probable choices (N K)."""
        fields: dict[str, list[int]] = {}
        for column, (field, _) in enumerate(self.names):
            fields.setdefault(field, []).append(column)
        best = {field: probabilities[:, columns].argmax(axis=1) for field, columns in fields.items()}
        said = (
            {field: self.names[columns[best[field][row]]][1] for field, columns in fields.items()}
            for row in range(len(self.truth))
        )
        return self._measured(said)

    def constant(self) -> dict[str, Measurement]:
        """The same of the answer that is most frequent in the training split."""
        return self._measured(self.frequent for _ in self.truth)

    def _measured(self, said: Iterable[Answer]) -> dict[str, Measurement]:
        hits = sum(one == other for one, other in zip(said, self.truth, strict=True))
        count = len(self.truth)
        return {METRIC: Measurement(value=hits / count, interval=wilson(hits, count), examples=count)}


def choices_of(dataset: Dataset) -> Choices | None:
    """None where the answers are not chosen: they are long or all different, or there is something else than one text
    that answers a text.
    """
    read = {name: [_pair(item) for item in split.x.tolist()] for name, split in dataset.splits.items()}
    pairs = {name: [each for each in rows if each] for name, rows in read.items()}
    if not all(pairs.get(name) for name in ("train", "validation", "test")):
        return None
    if any(len(pairs[name]) < len(rows) for name, rows in read.items()):
        return None
    structured = all(_fields(answer) for _, answer in pairs["train"])
    answers = {name: [_answer(text, structured) for _, text in rows] for name, rows in pairs.items()}
    names = _labels(answers["train"])
    if len(names) < 2:
        return None
    splits = {
        name: _split(pairs[name], answers[name], names, multi_label=structured) for name in ("train", "validation")
    }
    if not len(splits["validation"]):
        return None
    splits["test"] = _questions(pairs["test"])
    frequent, _ = Counter(json.dumps(each, sort_keys=True) for each in answers["train"]).most_common(1)[0]
    classes = tuple(f"{field}: {value}" if structured else value for field, value in names)
    whole = replace(dataset, classes=classes, splits=splits, findings=(), preprocessing={})
    return Choices(dataset=whole, names=names, truth=tuple(answers["test"]), frequent=json.loads(frequent))


def _pair(item: Any) -> tuple[str, str] | None:
    """Question and answer of one of `Conversations.items`; None for another kind of conversation."""
    found = json.loads(item) if isinstance(item, str) and item[:1] == "{" else {}
    messages = [each for each in found.get("messages", ()) if each["role"] != "system"]
    if found.get("tools") or "rejected" in found or [each["role"] for each in messages] != ["user", "assistant"]:
        return None
    question, answer = (each.get("content") for each in messages)
    return (question, answer.strip()) if isinstance(question, str) and isinstance(answer, str) else None


def _questions(pairs: Sequence[tuple[str, str]]) -> Split:
    """All texts of a split that only measures; by `Choices.truth`, not by labels, which some answers have none of."""
    x: NDArray[Any] = np.empty(len(pairs), object)
    x[:] = [question for question, _ in pairs]
    return Split(x=x, y=np.zeros(len(pairs), np.int64))


def _fields(answer: str) -> dict[str, str]:
    """Of a JSON object with plain values, each as JSON; empty for anything else."""
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict) or any(isinstance(value, dict | list) for value in found.values()):
        return {}
    return {field: json.dumps(value, ensure_ascii=False) for field, value in found.items()}


def _answer(text: str, structured: bool) -> Answer:
    return (_fields(text) or {"": text}) if structured else {"": text}


def _labels(answers: Sequence[Answer]) -> tuple[tuple[str, str], ...]:
    """What can be chosen: values that were seen again, of fields where most values were; none where they are many."""
    counts = Counter(item for answer in answers for item in answer.items())
    again = {item: count for item, count in counts.items() if count > 1}
    known = Counter[str]()
    for (field, _), count in again.items():
        known[field] += count
    found = sorted(item for item in again if known[item[0]] >= _LEAST_SHARE * len(answers))
    return tuple(found) if len(found) <= _MOST_LABELS else ()


def _split(
    pairs: Sequence[tuple[str, str]], answers: Sequence[Answer], names: Sequence[tuple[str, str]], *, multi_label: bool
) -> Split:
    """Texts and labels: one each, without what cannot be chosen, or those of each text's fields."""
    number = {name: index for index, name in enumerate(names)}
    chosen = [[number[item] for item in answer.items() if item in number] for answer in answers]
    rows = [row for row, labels in enumerate(chosen) if labels or multi_label]
    x: NDArray[Any] = np.empty(len(rows), object)
    x[:] = [pairs[row][0] for row in rows]
    if not multi_label:
        return Split(x=x, y=np.array([chosen[row][0] for row in rows], np.int64))
    y = np.zeros((len(rows), len(names)), np.int64)
    for row in rows:
        y[row, chosen[row]] = 1
    return Split(x=x, y=y)
