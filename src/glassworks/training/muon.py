"""Muon: momentum whose update is made orthogonal, for matrices and filters inside a network (Jordan et al. 2024)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

_A, _B, _C = 3.4445, -4.7750, 2.0315
"""Coefficients of the quintic Newton-Schulz iteration, chosen by its author for a steep slope at zero."""


class Muon(torch.optim.Optimizer):
    """SGD with Nesterov momentum; each filter bank's update is replaced by its nearest (semi-)orthogonal matrix.

    PyTorch's own Muon takes matrices only; here a filter bank (O I h w) counts as the matrix (O, I h w).
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        momentum: float = 0.6,
        weight_decay: float = 0.0,
        iterations: int = 3,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "iterations": iterations}
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override] # gradients are computed by the loop
        """One update from the present gradients."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(parameter)
                buffer = state["momentum_buffer"]
                buffer.mul_(group["momentum"]).add_(parameter.grad)
                update = parameter.grad.add(buffer, alpha=group["momentum"]).flatten(1)
                update = orthogonalize(update, group["iterations"])
                scale = max(1.0, update.shape[0] / update.shape[1]) ** 0.5
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update.reshape(parameter.shape), alpha=-group["lr"] * scale)


def orthogonalize(matrix: Tensor, iterations: int) -> Tensor:
    """Push all singular values of a matrix towards one by Newton-Schulz steps; the vectors stay.

    Each step multiplies by a polynomial P of the Gram matrix G, and turns G into P G P: the steps are made on the
    small Gram matrix, and only their product meets the long rows.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    gram = x @ x.T
    step = total = _polynomial(gram)
    for _ in range(iterations - 1):
        gram = step @ gram @ step
        step = _polynomial(gram)
        total = step @ total
    pushed: Tensor = total @ x
    return pushed.T if tall else pushed


def _polynomial(gram: Tensor) -> Tensor:
    """a I + b G + c G^2."""
    result: Tensor = torch.addmm(gram, gram, gram, beta=_B, alpha=_C)
    result.diagonal().add_(_A)
    return result
