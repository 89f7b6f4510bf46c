"""The nearest class in an embedding: of class means, or of every training picture, whichever validation favors."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from glassworks.catalog import get
from glassworks.contracts import Dataset, Embedder, Measurement, Model, Progress, Signature, Task, TensorSpec
from glassworks.errors import DataError
from glassworks.families.few_shot.settings import FewShotConfig
from glassworks.training.classification import calibrated_loss, fit_temperature

SHARPNESS = 20.0
"""How much the nearest of a class's vectors counts more than the others: at 20 almost alone."""
_METHODS = ("prototypes", "neighbors")


@dataclass(frozen=True, kw_only=True)
class NearestClasses:
    """Vectors (M D, of length 1) with the share that each has in a class (M K; each column sums to 1)."""

    vectors: NDArray[np.float32]
    shares: NDArray[np.float32]
    temperature: float

    def scores(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        """Similarity to each class (N K), at most 1: the cosine, softly the largest where a class has several vectors.

        log(sum_m shares_mk exp(s cos_m)) / s with the sharpness s (Vinyals et al. 2016 weigh neighbors likewise).
        """
        cosine = embedding @ self.vectors.T
        largest = cosine.max(axis=1, keepdims=True)
        weights = np.exp(SHARPNESS * (cosine - largest)) @ self.shares
        return np.asarray(np.log(weights) / SHARPNESS + largest, np.float32)

    def probabilities(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        """Softmax (N K) of the scores over the temperature."""
        return np.asarray(softmax(self.scores(embedding) / self.temperature, axis=1), np.float32)


def fit_nearest(dataset: Dataset, config: FewShotConfig, embedder: Embedder, folder: Path, progress: Progress) -> Model:
    """The classifier, compared with the same one in bare pixels."""
    start = time.monotonic()
    progress.start("train")
    vectors = {name: embedder.embed(split.x) for name, split in dataset.splits.items()}
    pixels = {name: _pixels(split.x) for name, split in dataset.splits.items()}
    method, model = choose(vectors, dataset, config.method)
    validation = _measured(model, vectors["validation"], dataset, "validation")
    reached = validation["accuracy"].value
    progress.finish(f"{method} of {len(model.vectors)} vectors, accuracy {reached:.4f} on validation")
    size = dataset.splits["train"].x.shape[1:]
    return Model(
        family="few_shot",
        network=model,
        signature=_signature(size, len(dataset.classes)),
        preprocessing={
            **{key: int(embedder.preprocessing[key]) for key in ("height", "width", "channels")},
            **dataset.preprocessing,
        },
        weights_sha256=_sha256(model, embedder),
        metrics=validation,
        run=folder.name,
        resumed=False,
        seconds=time.monotonic() - start,
        comparison={
            f"{method} in the embedding": _measured(model, vectors["test"], dataset, "test"),
            f"{method} in bare pixels": _measured(choose(pixels, dataset, method)[1], pixels["test"], dataset, "test"),
        },
    )


def choose(vectors: dict[str, NDArray[np.float32]], dataset: Dataset, method: str) -> tuple[str, NearestClasses]:
    """A method and its classifier; `auto`: that of the least log loss on the validation split, by its temperature."""
    validation = dataset.splits["validation"].y
    if not len(validation):
        raise DataError("there is no picture to validate with", "give at least three pictures of one class")
    found = {}
    for name in _METHODS if method == "auto" else (method,):
        plain = class_vectors(vectors["train"], dataset.splits["train"].y, len(dataset.classes), name)
        found[name] = (plain, plain.scores(vectors["validation"]))
    best = min(found, key=lambda name: calibrated_loss(found[name][1], validation))
    plain, scores = found[best]
    return best, NearestClasses(
        vectors=plain.vectors, shares=plain.shares, temperature=fit_temperature(scores, validation)
    )


def class_vectors(
    vectors: NDArray[np.float32], targets: NDArray[np.int64], classes: int, method: str
) -> NearestClasses:
    """The vectors (N D) themselves, or the mean of each class; not tempered yet."""
    member = np.asarray(targets[:, None] == np.arange(classes), np.float32)
    shares = member / np.maximum(member.sum(axis=0), 1)
    if method == "neighbors":
        return NearestClasses(vectors=vectors, shares=shares, temperature=1.0)
    means = shares.T @ vectors
    unit = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return NearestClasses(vectors=unit, shares=np.eye(classes, dtype=np.float32), temperature=1.0)


def _pixels(x: NDArray[np.generic]) -> NDArray[np.float32]:
    """Pictures as vectors of length 1, without their brightness: what comparing takes without an embedding."""
    flat = x.reshape(len(x), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6), np.float32)


def _measured(
    model: NearestClasses, vectors: NDArray[np.float32], dataset: Dataset, split: str
) -> dict[str, Measurement]:
    return get(Task, "image-classification").measure(model.probabilities(vectors), dataset.splits[split].y)


def _signature(size: tuple[int, ...], classes: int) -> Signature:
    height, width, channels = size
    image = TensorSpec(name="image", datatype="FP32", shape=(-1, channels, height, width))
    return Signature(inputs=(image,), outputs=(TensorSpec(name="probabilities", datatype="FP32", shape=(-1, classes)),))


def _sha256(model: NearestClasses, embedder: Embedder) -> str:
    """Of all that decides an answer: the vectors, and the graph that computes vectors."""
    digest = hashlib.sha256(embedder.graph.path.read_bytes())
    for part in (model.vectors, model.shares, np.float64(model.temperature)):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
