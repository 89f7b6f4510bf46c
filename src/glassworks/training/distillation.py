"""What a student learns from: a teacher's probabilities beside the labels (Hinton et al. 2015)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Dataset, Split
from glassworks.errors import ConfigError
from glassworks.training.classification import class_weights

Teach = Callable[[NDArray[np.object_]], NDArray[np.float32]]


def taught(
    dataset: Dataset, teach: Teach, labels: Sequence[str], unlabeled: Sequence[str], findings: Sequence[str] = ()
) -> Dataset:
    """The same data with the teacher's probabilities (N K) as `soft` of the training split.

    `teach` answers in the order of `labels`. Texts without a label join the training split under the labels that the
    teacher gives them. Raises ConfigError for a teacher of other labels.
    """
    if sorted(labels) != sorted(dataset.classes):
        raise ConfigError(
            f"the teacher knows the labels {', '.join(list(labels)[:10])}, "
            f"the data has {', '.join(dataset.classes[:10])}",
            "name a teacher that was trained for the same labels: training.teacher",
        )
    order = [list(labels).index(name) for name in dataset.classes]
    own = dataset.splits["train"]
    x = np.empty(len(own) + len(unlabeled), object)
    x[: len(own)], x[len(own) :] = own.x, unlabeled
    soft = np.ascontiguousarray(teach(x)[:, order], dtype=np.float32)
    given = soft[len(own) :]
    guessed = (given > 0.5).astype(np.int64) if own.y.ndim == 2 else given.argmax(axis=1)
    train = Split(x=x, y=np.concatenate([own.y, guessed]), soft=soft)
    return dataclasses.replace(
        dataset, splits={**dataset.splits, "train": train}, findings=(*dataset.findings, *findings)
    )


def balanced(dataset: Dataset) -> Dataset:
    """What a teacher learned at the frequencies of the labels is taught as if all of them were as frequent."""
    train = dataset.splits["train"]
    if train.soft is None:
        return dataset
    taught_so = dataclasses.replace(train, soft=_balanced_probabilities(train.soft, train.y))
    return dataclasses.replace(dataset, splits={**dataset.splits, "train": taught_so})


def _balanced_probabilities(soft: NDArray[np.float32], targets: NDArray[np.int64]) -> NDArray[np.float32]:
    """Probabilities (N K) that were learned at the frequencies of `targets` as if all classes were as frequent: by
    Bayes' rule (Saerens et al. 2002, equation 2.4).
    """
    import torch

    weights = class_weights(torch.from_numpy(targets), soft.shape[1]).numpy()
    if targets.ndim == 2:
        with_it, without = soft * weights[:, 1], (1 - soft) * weights[:, 0]
        return np.asarray(with_it / (with_it + without), np.float32)
    shifted = soft * weights
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), np.float32)
