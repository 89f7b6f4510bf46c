"""What a task offers to be compared with."""

from __future__ import annotations

from pathlib import Path

from glassworks.catalog import found, get
from glassworks.contracts import Dataset, Split, Task
from glassworks.data.text.dataset import prepare_texts
from glassworks.data.text.reader import read_texts
from glassworks.data.text.synthetic import write_synthetic


def test_texts_are_compared_with_n_grams_on_the_same_test_split(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "t.csv", 300, 0)
    dataset = prepare_texts(read_texts(f"csv:{tmp_path / 't.csv'}"), validation=0.15, test=0.15, seed=0)
    task = get(Task, "text-classification")
    measured = task.baseline(dataset)
    assert measured[task.metric].examples == len(dataset.splits["test"])
    assert measured[task.metric].value > 0.85
    assert set(measured) == {"accuracy", "balanced_accuracy", "macro_f1", "log_loss", "calibration_error"}
    test = dataset.splits["test"]
    turned = {**dataset.splits, "test": Split(x=test.x, y=1 - test.y)}
    wrong = task.baseline(Dataset(name="x", fingerprint="", classes=dataset.classes, splits=turned))
    assert wrong["accuracy"].value == 1 - measured["accuracy"].value


def test_other_tasks_have_none() -> None:
    nothing = Dataset(name="x", fingerprint="", classes=(), splits={})
    assert {name for name, task in found(Task).items() if name == "text-classification" or task.baseline(nothing)} == {
        "text-classification"
    }
