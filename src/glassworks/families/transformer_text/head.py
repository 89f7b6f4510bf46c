"""The head on an encoder as it is: fitted to its optimum, so that fine-tuning starts from there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glassworks.contracts import Progress
from glassworks.families.transformer_text.fine_tuning import Course, scores_of
from glassworks.families.transformer_text.network import TransformerText
from glassworks.training.classification import calibrated_loss, classification_loss, validation_weights

_STRENGTHS = (1.0, 4.0, 16.0, 64.0, 256.0)
_STEPS = 200
_TEXTS, _TEXTS_A_LABEL = 4000, 100
"""Enough for a head that goes on learning."""


@dataclass(frozen=True)
class Start:
    """Before tuning: scores of validation texts (N K), none from scratch; seconds to reserve for what follows the
    tuning; and the history of a head that is all that learns."""

    scores: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    reserve_s: float = 0.0
    history: tuple[Mapping[str, float], ...] = ()


def start_head(network: TransformerText, course: Course, progress: Progress, *, frozen: bool) -> Start:
    """Fit the head to the encoder as it is; to some of the texts where the whole of it learns from all of them next."""
    progress.start("head")
    labels, texts = network.head.out_features, len(course.learning)
    most = texts if frozen else max(_TEXTS, _TEXTS_A_LABEL * labels)
    rows = np.sort(np.random.default_rng(course.job.training.seed).permutation(texts)[:most])
    learning = course.learning.subset(rows)
    features = torch.from_numpy(scores_of(network, learning, pooled=True, progress=progress))
    begin = time.monotonic()
    validation = torch.from_numpy(scores_of(network, course.validation, pooled=True, progress=progress))
    seconds = time.monotonic() - begin
    targets = torch.from_numpy(learning.targets)
    soft = course.soft[rows] if course.soft is not None else None

    def loss(scores: Tensor) -> Tensor:
        return classification_loss(scores, targets, soft, course.weights, 0.0)

    weight, bias = fit_head(features, loss, labels, validation, course.validation.targets, course.weights)
    with torch.no_grad():
        network.head.weight.copy_(weight)
        network.head.bias.copy_(bias)
        losses = float(loss(torch.zeros(len(features), labels))), float(loss(features @ weight.T + bias))
    progress.finish(f"loss {losses[1]:.4f}")
    history = tuple({"epoch": float(n), "step": float(n), "loss": each} for n, each in enumerate(losses))
    return Start((validation @ weight.T + bias).numpy(), 3 * seconds, history if frozen else ())


def fit_head(
    features: Tensor,
    loss: Callable[[Tensor], Tensor],
    labels: int,
    validation: Tensor,
    validation_targets: NDArray[np.int64],
    weights: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Weights (K D) and bias (K) of logistic regression on `features` (N D); `loss` is that of its scores (N K).

    The strength is the one with the least log loss on validation features, each at its own temperature; there too
    classes count by their `weights`.
    """
    counts = validation_weights(validation_targets, weights)
    found = []
    for strength in _STRENGTHS:
        weight, bias = _fit(features, loss, labels, strength / features.shape[1])
        found.append(
            (calibrated_loss((validation @ weight.T + bias).numpy(), validation_targets, counts), weight, bias)
        )
    _, weight, bias = min(found, key=lambda each: each[0])
    return weight, bias


def _fit(features: Tensor, loss: Callable[[Tensor], Tensor], labels: int, strength: float) -> tuple[Tensor, Tensor]:
    """L-BFGS on the mean loss with the penalty |W|^2 / (2 N strength)."""
    weight = torch.zeros(labels, features.shape[1], requires_grad=True)
    bias = torch.zeros(labels, requires_grad=True)
    penalty = 1 / (2 * len(features) * strength)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(features @ weight.T + bias) + penalty * weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return weight.detach(), bias.detach()
