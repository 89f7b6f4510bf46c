"""Learns a threshold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from glassworks.catalog import get
from glassworks.config import DataConfig, Job
from glassworks.contracts import (
    Artifact,
    Dataset,
    Differentiable,
    Family,
    Model,
    Progress,
    Record,
    Signature,
    Split,
    Task,
    TensorSpec,
)
from glassworks.data.text.dataset import prepare_job, read_split
from glassworks.data.text.keys import TextData
from glassworks.errors import Unsupported

SIGNATURE = Signature(
    inputs=(TensorSpec(name="numbers", datatype="FP32", shape=(-1, 1, 4)),),
    outputs=(TensorSpec(name="scores", datatype="FP32", shape=(-1, 2)),),
)


class ToyConfig(Record):
    """The `[model]` table of a job whose family is `toy_family`."""

    offset: float = 0.0
    """What is added to the threshold."""


class ToyFamily(Family):
    """A threshold between two kinds of numbers."""

    name: ClassVar[str] = "toy_family"
    task: ClassVar[str] = "toy-task"
    config: ClassVar[type[Record]] = ToyConfig
    data: ClassVar[type[DataConfig]] = TextData
    unsupported: ClassVar[Mapping[str, str]] = {"gradient": "a threshold has none"}

    def prepare(self, job: Job) -> Dataset:
        return prepare_job(job)

    def read(self, source: str, preprocessing: Mapping[str, Any], labels: Sequence[str]) -> Split:
        return read_split(source, preprocessing, labels)

    def train(self, dataset: Dataset, job: Job, folder: Path, progress: Progress) -> Model:
        import numpy as np

        task = get(Task, self.task)
        means = {name: task.encode(split.x, {})["numbers"].mean(axis=(1, 2)) for name, split in dataset.splits.items()}
        threshold = float(means["train"].mean()) + float(job.model.get("offset", 0.0))
        scores = np.stack([means["validation"], 2 * threshold - means["validation"]], axis=1)
        return Model(
            family=self.name,
            network=threshold,
            signature=SIGNATURE,
            preprocessing={},
            weights_sha256=hashlib.sha256(str(threshold).encode()).hexdigest(),
            metrics=task.measure(scores, dataset.splits["validation"].y),
            run=folder.name,
            resumed=False,
            seconds=0.0,
        )

    def export(self, model: Model, folder: Path) -> Artifact:
        (folder / "model.json").write_text(json.dumps({"threshold": model.network}), encoding="utf-8")
        return Artifact(role="predict", format="toy", file="model.json", made_by="export")

    def differentiable(self, model: Model) -> Differentiable:
        raise Unsupported("a threshold has no gradient", "explain it by its predictions")

    def tiny(self, folder: Path) -> Job:
        return Job(name="toy", family=self.name, data=TextData(source="toy:80"))
