"""The head on an encoder that stays: fitted to its optimum, a start that fine-tuning need not look for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glassworks.training.calibration import calibrated_loss
from glassworks.training.classification import held_weights

_STRENGTHS = (1.0, 4.0, 16.0, 64.0, 256.0)
_STEPS = 200


def fit_head(
    features: Tensor,
    loss: Callable[[Tensor], Tensor],
    labels: int,
    held: Tensor,
    held_targets: NDArray[np.int64],
    weights: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Weights (K D) and bias (K) of logistic regression on `features` (N D); `loss` judges its scores (N K).

    The strength is the one with the least log loss on held features, each at its own temperature; there too classes
    count by their `weights`.
    """
    counts = held_weights(held_targets, weights)
    found = []
    for strength in _STRENGTHS:
        weight, bias = _fit(features, loss, labels, strength / features.shape[1])
        found.append((calibrated_loss((held @ weight.T + bias).numpy(), held_targets, counts), weight, bias))
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
