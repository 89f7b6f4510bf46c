"""What the training of classifiers has in common, of pictures and of texts: the loss and the weights of classes."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from glassworks.config import Job


def classification_loss(
    scores: Tensor, targets: Tensor, soft: Tensor | None, weights: Tensor | None, smoothing: float
) -> Tensor:
    """Cross-entropy of scores (B K), or a sigmoid a label where `targets` are B K.

    With a teacher's probabilities (`soft` B K) the loss is half theirs, half the labels' (Hinton et al. 2015).
    `weights` are those of `class_weights`. A whole example counts by the weight of its own class: its optimum is then
    (1 - smoothing) p + smoothing / K, where p is the posterior if all classes were as frequent. Weights inside of the
    smoothed cross-entropy, as PyTorch has them, weigh the smoothed part of the other classes too, and beyond 19 to 1
    the rare class is the optimum for every example.
    """
    scores, targets = scores.float(), targets.to(scores.device)
    losses_of = partial(_losses, several=targets.ndim == 2, reduction="mean" if weights is None else "none")
    losses = losses_of(scores, targets, smoothing)
    if soft is not None:
        losses = (losses + losses_of(scores, soft.to(scores), 0.0)) / 2
    return losses if weights is None else (losses * example_weights(targets, weights)).mean()


def class_weights(targets: Tensor, classes: int) -> Tensor:
    """Each class counts alike, and examples 1 on the average: N / (K * count) of the K classes that occur, as in King
    and Zeng (2001). Several labels: K 2, of the examples without each label and of those with it.
    """
    if targets.ndim == 2:
        positive = targets.sum(0)
        return _inverse(torch.stack([len(targets) - positive, positive], dim=1))
    return _inverse(torch.bincount(targets, minlength=classes))


def weights_for(job: Job, targets: Tensor, classes: int) -> Tensor | None:
    """What the job says of them."""
    return class_weights(targets, classes) if job.training.class_weights == "balanced" else None


def example_weights(targets: Tensor, weights: Tensor) -> Tensor:
    """The weight of each example (N), or of each pair of example and label (N K)."""
    weights = weights.to(targets.device)
    if targets.ndim == 1:
        return weights[targets]
    return torch.where(targets > 0, weights[:, 1], weights[:, 0])


def held_weights(targets: NDArray[np.int64], weights: Tensor | None) -> NDArray[np.float64] | None:
    """The same for examples that judge what was learned with weights; None without."""
    return None if weights is None else example_weights(torch.from_numpy(targets), weights.cpu()).double().numpy()


def accuracies(right: NDArray[np.bool_], targets: NDArray[np.int64], weights: Tensor | None) -> dict[str, float]:
    """Of held examples, or pairs of example and label: `accuracy`, and with weights `balanced_accuracy` by them."""
    counts = held_weights(targets, weights)
    balanced = {} if counts is None else {"balanced_accuracy": float(np.average(right, weights=counts))}
    return {"accuracy": float(np.mean(right)), **balanced}


def judged_by(metric: str, job: Job) -> str:
    """Of `accuracies`, what early stopping looks at: a rare class must not be given up for it."""
    return "balanced_accuracy" if job.training.class_weights == "balanced" else metric


def balanced_probabilities(soft: NDArray[np.float32], targets: NDArray[np.int64]) -> NDArray[np.float32]:
    """Probabilities (N K) that were learned at the frequencies of `targets` as if all classes were as frequent: by
    Bayes' rule (Saerens et al. 2002, equation 2.4).
    """
    weights = class_weights(torch.from_numpy(targets), soft.shape[1]).numpy()
    if targets.ndim == 2:
        with_it, without = soft * weights[:, 1], (1 - soft) * weights[:, 0]
        return np.asarray(with_it / (with_it + without), np.float32)
    shifted = soft * weights
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), np.float32)


def _losses(scores: Tensor, targets: Tensor, smoothing: float, *, several: bool, reduction: str) -> Tensor:
    """Of each example (B), or of each of its labels (B K) where they do not exclude each other; or their mean."""
    if several:
        return functional.binary_cross_entropy_with_logits(scores, targets.to(scores), reduction=reduction)
    return functional.cross_entropy(scores, targets, reduction=reduction, label_smoothing=smoothing)


def _inverse(counts: Tensor) -> Tensor:
    """Of counts (... C): the mean weight of all examples is 1. A class without any has no part in it."""
    kinds = (counts > 0).sum(dim=-1, keepdim=True)
    weights = counts.sum(dim=-1, keepdim=True) / (kinds * counts.clamp_min(1).float())
    return torch.where(counts > 0, weights, 1.0)
