"""Fewer hidden units in an encoder's feed-forward layers: those that stay take over what the others did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from glassworks.errors import ConfigError

_MULTIPLE = 16
"""Units come in such groups, which fill a vector register."""
_BLOCK = 32
_RIDGE = 1e-2
"""Of the units' mean variance: how far new weights may go from the old ones."""


@dataclass
class _Seen:
    """Sums over tokens of what the hidden units (F) of a layer were, and of their products."""

    tokens: int = 0
    sums: Tensor = field(default_factory=lambda: torch.zeros(()))
    products: Tensor = field(default_factory=lambda: torch.zeros(()))

    def add(self, module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        units = arguments[0].detach().flatten(0, -2).float()
        self.tokens += len(units)
        self.sums = self.sums + units.sum(0).double()
        self.products = self.products + (units.T @ units).double()

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean (F) and covariance (F F)."""
        mean = self.sums / self.tokens
        return mean, self.products / self.tokens - torch.outer(mean, mean)


def narrow(encoder: nn.Module, run: Callable[[], object], share: float) -> None:
    """Keep a share of the hidden units of each feed-forward layer; `run` has the encoder read some texts.

    A unit is worth what leaving it out costs after the others have made up for it: |w_k|^2 / [(C + r)^-1]_kk, with
    its weights w_k and the covariance C of units (Optimal Brain Surgeon, Hassibi and Stork 1993, equation 5). They go
    one by one, so that of two that say the same one stays; what stays has the weights with the least squared error
    of the layer's output. Raises ConfigError.
    """
    pairs = _feed_forward(encoder)
    seen = [_Seen() for _ in pairs]
    hooks = [second.register_forward_pre_hook(each.add) for (_, second), each in zip(pairs, seen, strict=True)]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    with torch.no_grad():
        for (first, second), each in zip(pairs, seen, strict=True):
            _narrow(first, second, *each.moments(), share)


def _feed_forward(encoder: nn.Module) -> list[tuple[nn.Linear, nn.Linear]]:
    """The dense map to the hidden units and the one from them, of each layer."""
    config = getattr(encoder, "config", None)
    hidden = getattr(config, "intermediate_size", None) or getattr(config, "hidden_dim", None)
    dense = [module for module in encoder.modules() if isinstance(module, nn.Linear)]
    first = [each for each in dense if each.out_features == hidden != each.in_features]
    second = [each for each in dense if each.in_features == hidden != each.out_features]
    if not first or len(first) != len(second):
        raise ConfigError(
            "'model.narrow' is for encoders of BERT's kind, with two dense maps a feed-forward layer",
            "leave it out, or use fewer layers: model.layers",
        )
    return list(zip(first, second, strict=True))


def _narrow(first: nn.Linear, second: nn.Linear, mean: Tensor, covariance: Tensor, share: float) -> None:
    units = len(mean)
    count = min(units, max(_MULTIPLE, round(share * units / _MULTIPLE) * _MULTIPLE))
    ridge = _RIDGE * float(covariance.diagonal().mean())
    old = second.weight.double()
    kept, new = _without_the_least(old, torch.linalg.inv(covariance + ridge * torch.eye(units)), count)
    bias = old @ mean - new @ mean[kept]
    if second.bias is not None:
        bias = bias + second.bias.double()
    first.weight = nn.Parameter(first.weight[kept].clone())
    if first.bias is not None:
        first.bias = nn.Parameter(first.bias[kept].clone())
    second.weight, second.bias = nn.Parameter(new.float()), nn.Parameter(bias.float())
    first.out_features = second.in_features = count


def _without_the_least(weights: Tensor, inverse: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Which `count` units stay (ascending), and their weights (D count): the least of (V - W) (C + r) (V - W)^T.

    `weights` is W (D F), `inverse` (C + r)^-1 (F F). A block goes at a time, chosen one by one among those worth least.
    """
    kept = torch.arange(weights.shape[1])
    while len(kept) > count:
        block = min(_BLOCK, len(kept) - count)
        least = _worth(weights, inverse).argsort()[: 4 * block]
        gone = least[_one_by_one(weights[:, least], inverse[least][:, least], block)]
        taken = torch.linalg.solve(inverse[gone][:, gone], inverse[gone])
        stays = torch.ones(len(kept), dtype=torch.bool)
        stays[gone] = False
        weights = (weights - weights[:, gone] @ taken)[:, stays]
        inverse = (inverse - inverse[:, gone] @ taken)[stays][:, stays]
        kept = kept[stays]
    return kept, weights


def _one_by_one(weights: Tensor, inverse: Tensor, count: int) -> Tensor:
    """The units (count) that go first, each after the others have made up for those before."""
    gone: list[int] = []
    for _ in range(count):
        worth = _worth(weights, inverse)
        worth[gone] = torch.inf
        unit = int(worth.argmin())
        taken = inverse[unit] / inverse[unit, unit]
        weights = weights - torch.outer(weights[:, unit], taken)
        inverse = inverse - torch.outer(inverse[:, unit], taken)
        gone.append(unit)
    return torch.tensor(gone)


def _worth(weights: Tensor, inverse: Tensor) -> Tensor:
    return weights.square().sum(0) / inverse.diagonal()
