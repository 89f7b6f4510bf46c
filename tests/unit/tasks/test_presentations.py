"""Answers as people see them: what each task puts into a sentence, a table of its own, and a row of many."""

from __future__ import annotations

from typing import Any

import pytest

from glassworks.catalog import found, get
from glassworks.contracts import Feedback, Pictures, Presentation, Tables, Task

LABELS = {"label": "cat", "probability": 0.75, "top": [["cat", 0.75], ["dog", 0.25]]}
ITEM = {"item": 7, "title": "Alien", "score": 3.25, "because": [{"item": 2, "contribution": 0.5}]}
ITEMS = {"items": [ITEM], "basis": "history", "unknown_items": [], "shortage": None}


def present(task: str, answer: dict[str, Any]) -> Presentation:
    return get(Task, task).present(answer)


@pytest.mark.parametrize("task", ["image-classification", "text-classification"])
def test_a_class_has_its_probability_and_those_of_others(task: str) -> None:
    shown = present(task, LABELS)
    assert (shown.headline, shown.title) == ("cat (probability 0.7500)", "cat")
    assert shown.columns == ("label", "probability")
    assert shown.rows == (("cat", "0.7500"), ("dog", "0.2500"))
    assert shown.row == {"label": "cat", "probability": 0.75}
    assert shown.notes == ()


@pytest.mark.parametrize(
    ("labels", "title"), [([["cat", 0.754], ["dog", 0.6]], "cat 75%, dog 60%"), ([], "none")], ids=["two", "none"]
)
def test_all_labels_of_a_picture_stand_in_one_column(labels: list[Any], title: str) -> None:
    shown = present("image-classification", {**LABELS, "labels": labels, "familiar": True})
    assert shown.title == title
    assert shown.row == {"labels": title, "familiar": True}


@pytest.mark.parametrize(
    ("kept", "note"),
    [
        (["cat", "dog"], "not ruled out: cat, dog"),
        ([], "not ruled out: no label; the input is unlike what was learned from"),
    ],
)
def test_a_label_set_is_a_note(kept: list[str], note: str) -> None:
    assert present("text-classification", {**LABELS, "label_set": kept}).notes == (note,)


def test_items_come_with_their_reasons() -> None:
    shown = present("recommendation", ITEMS)
    assert (shown.headline, shown.title) == ("Alien", "by history")
    assert shown.rows == (("7", "Alien", "3.25", "2 (+0.500)"),)
    assert shown.notes == ()


def test_items_that_are_few_or_unknown_are_noted() -> None:
    shortage = {"found": 0, "reason": "nothing fits"}
    shown = present("recommendation", {**ITEMS, "items": [], "unknown_items": [5, "x"], "shortage": shortage})
    assert (shown.headline, shown.rows) == ("nothing", ())
    assert shown.notes == ("not known: 5, x", "only 0: nothing fits")


def test_pictures_and_vectors_are_said_by_their_size() -> None:
    picture = {"width": 3, "height": 2, "channels": 1, "datatype": "uint8", "minimum": 0.0, "maximum": 9.0}
    assert present("image-to-image", picture).headline == "picture of 2 x 3 x 1"
    assert present("image-to-image", picture).row == picture
    assert present("text-embedding", {"embedding": [0.0, 1.0]}).headline == "embedding of 2"


def test_capabilities_are_asked_for_by_their_class() -> None:
    tasks = found(Task)
    assert {name for name, task in tasks.items() if isinstance(task, Pictures)} == {
        "image-classification",
        "image-to-image",
    }
    assert [name for name, task in tasks.items() if isinstance(task, Tables)] == ["recommendation"]
    assert [name for name, task in tasks.items() if isinstance(task, Feedback)] == ["recommendation"]
