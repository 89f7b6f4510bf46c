"""Rare classes at 5:1, 50:1 and 500:1, of pictures and of texts: as they are, with class weights, and decided by cost.

    python benchmarks/imbalance.py [SEEDS] [SECONDS]

Pictures are the eights of `sample:mnist-5k` among its other digits, texts the complaints of `sample:zh-reviews` among
its praise. Training and validation have the ratio; the test is as many of both, of other examples, and is looked at
once. A seed is another choice of examples; everything is chosen on the validation examples. SECONDS are those of one
training. About SEEDS x SECONDS / 3 minutes.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from report import interval, publish

from glassworks.catalog import get
from glassworks.config import DecisionConfig, Job, TrainingConfig, validate
from glassworks.contracts import Dataset, Family, Opened, Progress, Split, Task
from glassworks.data.keys import PictureData
from glassworks.data.reader import read_pictures
from glassworks.data.text.keys import TextData
from glassworks.data.text.reader import read_texts
from glassworks.optimization.measure import predict_all
from glassworks.optimization.search import first_runtime
from glassworks.packaging.deciding import deciding
from glassworks.runtimes import open_session

RATIOS = (5, 50, 500)
WAYS: Mapping[str, tuple[str, bool]] = {
    "none": ("none", False),
    "class weights": ("balanced", False),
    "costs": ("none", True),
}
CLASSES = ("frequent", "rare")
TEST, VALIDATION = 100, 0.2
FREQUENT = {"pictures": 4000, "texts": 2500}
Arrays = tuple[NDArray[Any], NDArray[np.int64]]


def pictures() -> Arrays:
    found = read_pictures("sample:mnist-5k")
    return np.stack(list(found.pictures)), (found.labels == found.classes.index("8")).astype(np.int64)


def texts() -> Arrays:
    found = read_texts("sample:zh-reviews")
    distinct = np.unique(np.array(found.texts, object), return_index=True)[1]
    x = np.empty(len(distinct), object)
    x[:] = [found.texts[row] for row in distinct]
    return x, (found.targets[distinct] == found.classes.index("negative")).astype(np.int64)


KINDS = {"pictures": (pictures, "convnet", PictureData), "texts": (texts, "recurrent_text", TextData)}


def main(seeds: int, seconds: int) -> None:
    rows: list[tuple[str, object, str]] = []
    found: dict[str, list[dict[str, float]]] = {}
    for kind, (read, family, data) in KINDS.items():
        examples = read()
        for ratio in RATIOS:
            for name, (weights, costly) in WAYS.items():
                costs = {"rare": float(ratio)} if costly else {}
                job = Job(
                    name="imbalance",
                    family=family,
                    data=validate(data, {"source": "sample:none"}, where="benchmark"),
                    training=TrainingConfig(class_weights=weights, budget=f"{seconds}s", threads=1),
                    decision=DecisionConfig(costs=costs),
                )
                key = f"{kind}, {ratio}:1, {name}"
                found[key] = [
                    measured(job, drawn(examples, ratio, FREQUENT[kind], seed), seed) for seed in range(seeds)
                ]
                rows += list(shown(key, found[key]))
                print(key, found[key], flush=True)
    publish("imbalance", found, rows)


def drawn(examples: Arrays, ratio: int, frequent: int, seed: int) -> Dataset:
    x, y = examples
    generator = np.random.default_rng(seed)
    of = [generator.permutation(np.flatnonzero(y == label)) for label in (0, 1)]
    test = np.concatenate([each[:TEST] for each in of])
    frequent = min(frequent, len(of[0]) - TEST)
    learned = [of[0][TEST : TEST + frequent], of[1][TEST : TEST + max(2, frequent // ratio)]]
    begin = [max(1, round(len(each) * VALIDATION)) for each in learned]
    parts = {
        "train": np.concatenate([each[count:] for each, count in zip(learned, begin, strict=True)]),
        "validation": np.concatenate([each[:count] for each, count in zip(learned, begin, strict=True)]),
        "test": test,
    }
    splits = {name: Split(x=x[part], y=y[part]) for name, part in parts.items()}
    return Dataset(name="imbalance", fingerprint=f"{ratio}-{seed}", classes=CLASSES, splits=splits)


def measured(job: Job, dataset: Dataset, seed: int) -> dict[str, float]:
    family = get(Family, job.family)
    task = get(Task, family.task)
    job = job.model_copy(update={"training": job.training.model_copy(update={"seed": seed})})
    with tempfile.TemporaryDirectory() as name:
        learned, folder = Path(name) / "learned", Path(name) / "exported"
        learned.mkdir()
        folder.mkdir()
        model = family.train(dataset, job, learned, Progress())
        exported = Opened(artifact=family.export(model, folder), folder=folder)
        model = deciding(task, exported, dataset, model, job)
        opened = Opened(artifact=first_runtime(exported.artifact, 1), folder=folder)
        session = open_session(task, opened, model.preprocessing, limited=False)
        test = dataset.splits["test"]
        probabilities = predict_all(session, task.encode(test.x, model.preprocessing))
        session.close()
    metrics = task.evaluate(lambda _: probabilities, test.y, model.preprocessing)
    common, rare = task.by_class(lambda _: probabilities, test.y, CLASSES, model.preprocessing)
    recalls = {each.label: each.recall.value for each in (common, rare) if each.recall}
    return {"balanced_accuracy": metrics["balanced_accuracy"].value, **recalls}


def shown(key: str, values: list[dict[str, float]]) -> Iterator[tuple[str, object, str]]:
    for metric, name in (("balanced_accuracy", "balanced accuracy"), ("rare", "recall of the rare class")):
        mean, low, high = interval([each[metric] for each in values])
        yield f"{key}: {name}", f"{mean:.3f} [{low:.3f}, {high:.3f}]", ""


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, int(sys.argv[2]) if len(sys.argv) > 2 else 12)
