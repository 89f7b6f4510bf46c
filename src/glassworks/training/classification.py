"""What the training of classifiers has in common: the loss, weights of classes, calibration on validation scores."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from glassworks.config import Job

if TYPE_CHECKING:
    from torch import Tensor

Scores = NDArray[np.float32]
Weights = NDArray[np.float64] | None
"""How much each example counts (N), or each pair of example and label (N K); all alike without."""
_COLDEST, _HOTTEST = 0.05, 20.0
_ENOUGH = 10
"""Examples with a label, and without it, for a threshold of its own."""


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
    losses_of = partial(_cross_entropy, multi_label=targets.ndim == 2, reduction="mean" if weights is None else "none")
    losses = losses_of(scores, targets, smoothing)
    if soft is not None:
        losses = (losses + losses_of(scores, soft.to(scores), 0.0)) / 2
    return losses if weights is None else (losses * example_weights(targets, weights)).mean()


def class_weights(targets: Tensor, classes: int) -> Tensor:
    """Each class counts alike, and examples 1 on the average: N / (K * count) of the K classes that occur, as in King
    and Zeng (2001). Several labels: K 2, of the examples without each label and of those with it.
    """
    import torch

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
    return weights[:, 1].where(targets > 0, weights[:, 0])


def validation_weights(targets: NDArray[np.int64], weights: Tensor | None) -> Weights:
    """The same for validation examples; None where training has no weights."""
    import torch

    return None if weights is None else example_weights(torch.from_numpy(targets), weights.cpu()).double().numpy()


def accuracies(right: NDArray[np.bool_], targets: NDArray[np.int64], weights: Tensor | None) -> dict[str, float]:
    """Of examples, or pairs of example and label: `accuracy`, and with weights `balanced_accuracy` by them."""
    counts = validation_weights(targets, weights)
    balanced = {} if counts is None else {"balanced_accuracy": float(np.average(right, weights=counts))}
    return {"accuracy": float(np.mean(right)), **balanced}


def stopping_metric(metric: str, job: Job) -> str:
    """What early stopping looks at: `metric`, or where classes are balanced what does not give up a rare one."""
    return "balanced_accuracy" if job.training.class_weights == "balanced" else metric


def fit_temperature(scores: Scores, targets: NDArray[np.int64], weights: Weights = None) -> float:
    """The number that scores (N K) are divided by so that log loss is least (Guo et al. 2017, section 4.2).

    The labels are doubted by 1 / (N + 2), as Platt (1999, section 2.2) does: else N texts without a mistake would
    promise that there never is one.
    """
    doubt = 1 / (len(targets) + 2)

    def loss(log_temperature: float) -> float:
        own = scores / math.exp(log_temperature)
        return (1 - doubt) * negative_log_likelihood(own, targets, weights) + doubt * _of_others(own, targets, weights)

    found = minimize_scalar(loss, bounds=(math.log(_COLDEST), math.log(_HOTTEST)), method="bounded")
    return float(math.exp(found.x))


def negative_log_likelihood(scores: Scores, targets: NDArray[np.int64], weights: Weights = None) -> float:
    """Mean over texts; over pairs of text and label where labels do not exclude each other (`targets` N K)."""
    return float(_losses(scores, targets, weights).mean())


def _losses(scores: Scores, targets: NDArray[np.int64], weights: Weights) -> NDArray[np.float64]:
    """Negative log likelihood of each text (N)."""
    x = scores.astype(np.float64)
    times = 1.0 if weights is None else weights
    if targets.ndim == 2:
        return np.asarray((times * (np.logaddexp(0, x) - x * targets)).mean(axis=1))
    x = x - x.max(axis=1, keepdims=True)
    return np.asarray(times * (np.log(np.exp(x).sum(axis=1)) - x[np.arange(len(x)), targets]))


def _of_others(scores: Scores, targets: NDArray[np.int64], weights: Weights) -> float:
    """The mean negative log likelihood of what is not the target."""
    if targets.ndim == 2:
        return negative_log_likelihood(scores, 1 - targets, weights)
    x = scores.astype(np.float64)
    x = x - x.max(axis=1, keepdims=True)
    logs = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    own = logs[np.arange(len(x)), targets]
    others = (logs.sum(axis=1) - own) / max(1, logs.shape[1] - 1)
    return float(-np.mean(others if weights is None else weights * others))


def calibrated_loss(scores: Scores, targets: NDArray[np.int64], weights: Weights = None) -> float:
    """The log loss of scores (N K) at the temperature that suits them best."""
    return float(calibrated_losses(scores, targets, weights).mean())


def calibrated_losses(scores: Scores, targets: NDArray[np.int64], weights: Weights = None) -> NDArray[np.float64]:
    """The same of each text (N)."""
    tempered = (scores / fit_temperature(scores, targets, weights)).astype(np.float32)
    return _losses(tempered, targets, weights)


def fit_threshold(probabilities: Scores, targets: NDArray[np.int64], coverage: float) -> float:
    """The probability from which a label belongs to the set that holds the true one at `coverage`.

    Split conformal prediction with the least ambiguous sets (Sadinle et al. 2019): the quantile of the true labels'
    probabilities with its finite-sample correction. Several labels a text: the threshold is 0.5, with no promise.
    """
    if targets.ndim == 2:
        return 0.5
    own = np.sort(probabilities[np.arange(len(targets)), targets].astype(np.float64))
    rank = math.floor((len(own) + 1) * (1 - coverage) + 1e-9)  # 20 * (1 - 0.9) is a little less than 2
    return float(own[rank - 1]) if rank >= 1 else 0.0


def fit_label_thresholds(probabilities: Scores, targets: NDArray[np.int64]) -> NDArray[np.float32]:
    """The probability from which each label is reported (K), by the best F1 of that label over N examples (N K).

    Of equally good ones the middle one nearest to a half. A label with fewer than ten examples, or that all have, keeps
    a half: its best threshold would be an accident.
    """
    found = np.full(targets.shape[1], 0.5, np.float32)
    for label in range(targets.shape[1]):
        positive = int(targets[:, label].sum())
        if min(positive, len(targets) - positive) >= _ENOUGH:
            found[label] = _best_f1(probabilities[:, label].astype(np.float64), targets[:, label])
    return found


def _best_f1(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    hits = np.cumsum(targets[order])
    f1 = 2 * hits / (np.arange(1, len(ranked) + 1) + targets.sum())
    below = np.append(ranked[1:], 0.0)
    f1[ranked == below] = 0.0  # equal probabilities have one threshold
    middle = (ranked + below) / 2
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return float(middle[best[np.argmin(np.abs(middle[best] - 0.5))]])


def _cross_entropy(scores: Tensor, targets: Tensor, smoothing: float, *, multi_label: bool, reduction: str) -> Tensor:
    """Of each example (B), or of each of its labels (B K) where they do not exclude each other; or their mean."""
    from torch.nn import functional

    if multi_label:
        return functional.binary_cross_entropy_with_logits(scores, targets.to(scores), reduction=reduction)
    return functional.cross_entropy(scores, targets, reduction=reduction, label_smoothing=smoothing)


def _inverse(counts: Tensor) -> Tensor:
    """Of counts (... C): the mean weight of all examples is 1. A class without any has no part in it."""
    kinds = (counts > 0).sum(dim=-1, keepdim=True)
    weights = counts.sum(dim=-1, keepdim=True) / (kinds * counts.clamp_min(1).float())
    return weights.masked_fill(counts == 0, 1.0)
