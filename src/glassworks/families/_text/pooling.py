"""From states of tokens to one vector: poolings, and the layers that sentence encoders have behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

NAMES: Mapping[str, str] = {
    "cls": "first",
    "lasttoken": "last",
    "max": "max",
    "mean": "mean",
    "mean_sqrt_len_tokens": "mean_sqrt_len",
    "weightedmean": "weighted_mean",
}
"""Those of sentence-transformers -> here."""


class Pooling(nn.Module):
    """Vectors (N M*D) of token states (N T D) by M ways, one after the other, as sentence-transformers has them.

    Of a text's tokens the first `skipped` ones are a prompt's that does not count. `mask` (N T) is 1 for tokens and 0
    behind them.
    """

    def __init__(self, ways: Sequence[str], skipped: int = 0) -> None:
        super().__init__()
        self.ways, self.skipped = tuple(ways), skipped

    def forward(self, states: Tensor, mask: Tensor | None) -> Tensor:
        length = states.shape[1]
        there = torch.ones_like(states[:, :, 0]) if mask is None else mask.to(states.dtype)
        counted = there
        if self.skipped:
            counted = there * (torch.arange(length, device=states.device) >= self.skipped).to(states.dtype)
        return torch.cat([self._one(way, states, there, counted) for way in self.ways], 1)

    def _one(self, way: str, states: Tensor, there: Tensor, counted: Tensor) -> Tensor:
        if way == "first":
            return states[:, self.skipped]
        if way == "last":
            last = there.sum(1).long() - 1
            return states.gather(1, last[:, None, None].expand(-1, 1, states.shape[2]))[:, 0]
        if way == "max":
            return states.masked_fill(counted[:, :, None] == 0, float("-inf")).amax(1)
        weights = counted
        if way == "weighted_mean":
            weights = counted * torch.arange(1, states.shape[1] + 1, device=states.device, dtype=states.dtype)
        total, count = (states * weights[:, :, None]).sum(1), weights.sum(1, keepdim=True).clamp_min(1e-9)
        return total / (count.sqrt() if way == "mean_sqrt_len" else count)


class Dense(nn.Module):
    """An affine map with an activation, where it is so beside the vector itself."""

    def __init__(self, linear: nn.Linear, activation: nn.Module, beside: nn.Module | None) -> None:
        super().__init__()
        self.linear, self.activation, self.beside = linear, activation, beside

    def forward(self, vectors: Tensor) -> Tensor:
        found: Tensor = self.activation(self.linear(vectors))
        return found if self.beside is None else found + self.beside(vectors)


class UnitLength(nn.Module):
    """Vectors of length 1."""

    def forward(self, vectors: Tensor) -> Tensor:
        return functional.normalize(vectors)


class Sentence(nn.Module):
    """A vector (N `width`) of token states (N T D): a pooling, and the layers behind it."""

    def __init__(self, pooling: Pooling, layers: Sequence[nn.Module], width: int) -> None:
        super().__init__()
        self.pooling, self.layers, self.width = pooling, nn.Sequential(*layers), width

    def forward(self, states: Tensor, mask: Tensor | None) -> Tensor:
        found: Tensor = self.layers(self.pooling(states, mask))
        return found
