"""An imported model meets its data: labels in the model's order, and the way of its pixels."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from glassworks.catalog import found, get, importer_of
from glassworks.config import Job
from glassworks.contracts import Dataset, Imported, Importer, Model, Progress, Signature, Split, Task, TensorSpec
from glassworks.data.dataset import prepare_pictures
from glassworks.data.findings import listed
from glassworks.data.reader import Reading, read_pictures
from glassworks.errors import ConfigError, DataError, Unsupported
from glassworks.families.imported.graph import Taken, answers, are_scores, classes_of, taken_by, wrapped
from glassworks.families.imported.pixels import LARGEST_TRIAL, WAYS, Pixels, fits, require_tried, stated
from glassworks.families.imported.settings import ImportedConfig
from glassworks.tasks.image_classification import INPUT, OUTPUT

_TASK = "image-classification"
_SHOWN = 8


def imported_of(config: ImportedConfig) -> Imported:
    """The model that the job names, by the importer that reads it. Raises DataError, Unsupported and others."""
    path = Path(config.source.partition(":")[2]).expanduser()
    if (importer := importer_of(path)) is not None:
        return importer.read(path)
    if not path.exists():
        raise DataError(f"there is no {path}", "give the path of a model's file or folder")
    raise Unsupported(
        f"{path} is of no form that is read", f"give one of these forms: {', '.join(found(Importer))}; or export ONNX"
    )


def prepare(job: Job, config: ImportedConfig) -> Dataset:
    """The job's pictures in the model's size, with targets counted in the model's labels. Raises what reading does."""
    imported, taken, labels = understood(config)
    pictures = read_pictures(job.data.source, Reading.of(job.data))
    if pictures.multi_label:
        raise Unsupported(
            f"imported models give one label a picture, '{pictures.source}' has several", "give pictures of one label"
        )
    unknown = [name for name in pictures.classes if name not in labels]
    if unknown:
        raise DataError(
            f"'{pictures.source}' holds classes that the model does not know: {listed(unknown)}; it knows "
            f"{listed(labels)}",
            "name the model's classes as the data do: --labels FILE, a name a line in the order of its outputs",
        )
    height, width, channels = taken.shape
    prepared = prepare_pictures(pictures, job.data, height=height, width=width, channels=channels)
    number = np.array([labels.index(name) for name in prepared.classes], np.int64)
    splits = {name: replace(split, y=number[split.y]) for name, split in prepared.splits.items()}
    return replace(prepared, classes=labels, splits=splits, findings=(*imported.notes, *prepared.findings))


def understood(config: ImportedConfig) -> tuple[Imported, Taken, tuple[str, ...]]:
    """The model, what it takes and its labels, as the job or its file says. Raises ConfigError for what is missing."""
    imported = imported_of(config)
    if imported.task not in ("", _TASK):
        raise Unsupported(f"the model says that its task is '{imported.task[:60]}'", f"give a model for {_TASK}")
    size = tuple(int(each) for each in imported.preprocessing.get("size", ()))
    taken = taken_by(imported.graph, config.shape or size)
    labels, classes = config.labels or imported.labels, classes_of(imported.graph, taken)
    if not labels:
        raise ConfigError(
            f"the model has {classes} outputs and does not name its classes",
            "give them: --labels FILE, a name a line in the order of the outputs",
        )
    if len(labels) != classes or len(set(labels)) < len(labels):
        raise ConfigError(
            f"there are {len(labels)} labels ({len(set(labels))} different ones), and the model has {classes} outputs",
            "name each output once, in their order: --labels FILE",
        )
    if classes < 2:
        raise Unsupported("the model has one output", "export a model with an output for each of its classes")
    return imported, taken, labels


def train(dataset: Dataset, job: Job, config: ImportedConfig, folder: Path, progress: Progress) -> Model:
    """The model between pixels from 0 to 1 and probabilities; measured on validation data."""
    started = time.monotonic()
    progress.start("train")
    imported, taken, _ = understood(config)
    way = stated(config.preprocessing, config.mean, config.std, imported.preprocessing, taken.channels)
    split, tried = dataset.splits["validation"], ""
    if way is None:
        way, tried = _found(imported, config, taken, split)
    scores = _scores(imported, config, taken, way, split)
    graph = wrapped(imported.graph, taken, way, scores=scores)
    probabilities = answers(graph, split.x)
    measured = get(Task, _TASK).measure(probabilities, split.y)
    accuracy = measured["accuracy"].value
    how = f"found by trying: {tried}" if tried else "as stated"
    progress.finish(f"nothing to learn: {imported.form}, preprocessing '{way.name}' ({how}), accuracy {accuracy:.4f}")
    return Model(
        family=job.family,
        network=graph,
        signature=_signature(taken, probabilities.shape[1]),
        preprocessing={**dataset.preprocessing, **_preprocessing(imported, taken, way, scores=scores, tried=tried)},
        weights_sha256=hashlib.sha256(imported.graph.SerializeToString(deterministic=True)).hexdigest(),
        metrics=measured,
        run=folder.name,
        resumed=False,
        seconds=time.monotonic() - started,
    )


def _found(imported: Imported, config: ImportedConfig, taken: Taken, split: Split) -> tuple[Pixels, str]:
    """The way with which labeled examples are answered best, of like accuracy the one with the smaller log loss."""
    require_tried(split.y)
    rows = np.random.default_rng(0).permutation(len(split))[:LARGEST_TRIAL]
    few = Split(x=split.x[rows], y=split.y[rows])
    fitting: dict[Pixels, tuple[float, float]] = {}
    for way in WAYS:
        if way.suits(taken.channels):
            scores = _scores(imported, config, taken, way, few)
            fitting[way] = fits(answers(wrapped(imported.graph, taken, way, scores=scores), few.x), few.y)
    best = max(fitting, key=fitting.__getitem__)
    shown = ", ".join(f"{way.name} {accuracy:.3f}" for way, (accuracy, _) in fitting.items())
    return best, f"accuracy on {len(few)} validation examples: {shown}"


def _scores(imported: Imported, config: ImportedConfig, taken: Taken, way: Pixels, split: Split) -> bool:
    """Whether a softmax belongs behind the model: as the job or the graph says, else by what it puts out."""
    if config.outputs:
        return config.outputs == "scores"
    if imported.scores is not None:
        return imported.scores
    return are_scores(answers(wrapped(imported.graph, taken, way, scores=False), split.x[:LARGEST_TRIAL]))


def _preprocessing(imported: Imported, taken: Taken, way: Pixels, *, scores: bool, tried: str) -> dict[str, Any]:
    """What the bundle says of how pictures are stored, and of how the model was understood."""
    understood_as = {
        "form": imported.form,
        "pixels": way.name,
        "mean": list(way.mean),
        "std": list(way.std),
        "reverse": way.reverse,
        "outputs": "scores" if scores else "probabilities",
        "found": tried,
        "notes": list(imported.notes[:_SHOWN]),
    }
    return {"height": taken.height, "width": taken.width, "channels": taken.channels, "imported": understood_as}


def _signature(taken: Taken, classes: int) -> Signature:
    shape: Sequence[int] = (-1, taken.channels, taken.height, taken.width)
    return Signature(
        inputs=(TensorSpec(name=INPUT, datatype="FP32", shape=tuple(shape)),),
        outputs=(TensorSpec(name=OUTPUT, datatype="FP32", shape=(-1, classes)),),
    )
