"""What the training of classifiers has in common, of pictures and of texts: the loss and the weights of classes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def classification_loss(
    scores: Tensor, targets: Tensor, soft: Tensor | None, weights: Tensor | None, smoothing: float
) -> Tensor:
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
        return (len(targets) - positive).clamp_min(1) / positive
    counts = torch.bincount(targets, minlength=classes).clamp_min(1)
    return len(targets) / (classes * counts.float())
