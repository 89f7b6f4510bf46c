"""What the training of text classifiers has in common: loss, class weights, batches of like length, calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from glassworks.catalog import get
from glassworks.contracts import Task
from glassworks.training.calibration import fit_temperature, fit_threshold

if TYPE_CHECKING:
    from glassworks.config import Job

_CHUNK = 32


def text_loss(scores: Tensor, targets: Tensor, soft: Tensor | None, weights: Tensor | None, smoothing: float) -> Tensor:
    """Cross-entropy of scores (B K), or a sigmoid a label where `targets` are B K.

    With a teacher's probabilities (`soft` B K) the loss is half theirs, half the labels' (Hinton et al. 2015).
    """
    scores, targets = scores.float(), targets.to(scores.device)
    weights = weights.to(scores.device) if weights is not None else None
    if targets.ndim == 2:
        own = functional.binary_cross_entropy_with_logits(scores, targets.float(), pos_weight=weights)
        if soft is None:
            return own
        return (own + functional.binary_cross_entropy_with_logits(scores, soft.to(scores))) / 2
    own = functional.cross_entropy(scores, targets, weights, label_smoothing=smoothing)
    return own if soft is None else (own + functional.cross_entropy(scores, soft.to(scores))) / 2


def class_weights(targets: Tensor, classes: int) -> Tensor:
    """Each class counts alike: N / (K * count), as in King and Zeng (2001); several labels: negatives / positives."""
    if targets.ndim == 2:
        positive = targets.sum(0).clamp_min(1).float()
        return (len(targets) - positive) / positive
    counts = torch.bincount(targets, minlength=classes).clamp_min(1)
    return len(targets) / (classes * counts.float())


def like_length(order: Tensor, lengths: Tensor, batch: int) -> Tensor:
    """Texts of like length in one batch: within random chunks of 32 batches, which then are shuffled."""
    parts = []
    for chunk in torch.split(order, _CHUNK * batch):
        by_length = chunk[lengths[chunk].argsort(stable=True)]
        groups = torch.split(by_length, batch)
        whole = [group for group in groups if len(group) == batch]
        parts += [whole[each] for each in torch.randperm(len(whole)).tolist()]
        parts += [group for group in groups if len(group) < batch]
    full = [part for part in parts if len(part) == batch]
    rest = [part for part in parts if len(part) < batch]
    return torch.cat([*full, *rest])


def calibrated(
    scores: NDArray[np.float32], targets: NDArray[np.int64], coverage: float
) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """What the bundle says about calibration, and the probabilities with it."""
    task = get(Task, "text-classification")
    temperature = fit_temperature(scores, targets)
    before, after = (_probabilities(scores / each, targets.ndim == 2) for each in (1.0, temperature))
    errors = [task.measure(each, targets)["calibration_error"].value for each in (before, after)]
    return {
        "temperature": temperature,
        "threshold": fit_threshold(after, targets, coverage),
        "coverage": coverage,
        "calibration_error_before": errors[0],
        "calibration_error_after": errors[1],
    }, after


def _probabilities(scores: NDArray[np.float32], several: bool) -> NDArray[np.float32]:
    tensor = torch.from_numpy(np.asarray(scores, np.float32))
    return (tensor.sigmoid() if several else functional.softmax(tensor, dim=1)).numpy()


def unlabeled_texts(job: Job) -> list[str]:
    """Further texts to learn words from."""
    if not job.data.unlabeled:
        return []
    from glassworks.data.text.sources import read_lines

    return read_lines(job.data.unlabeled, job.data.text)
