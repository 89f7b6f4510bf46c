"""Recipes: a network with its way of training. `default` is ours; `classic` is the textbook baseline users know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import nn

from glassworks.families.convnet.networks import Classic, Default, Network
from glassworks.training.muon import Muon
from glassworks.training.schedules import Schedule, constant, one_cycle

Optimizers = tuple[torch.optim.Optimizer, ...]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """`build(height, width, channels, classes)` makes the network, `optimizers(network, rate)` its optimizers."""

    build: Callable[[int, int, int, int], Network]
    optimizers: Callable[[nn.Module, float], Optimizers]
    epochs: int
    min_steps: int = 0
    """Small data is gone through more often, until so many steps are made."""
    batch_size: int
    learning_rate: float
    schedule: Schedule
    augments: bool
    channels_last: bool = False
    label_smoothing: float = 0.0
    average_tail: float = 0.0
    drop_last: bool = True


def _adam(network: nn.Module, rate: float) -> Optimizers:
    return (torch.optim.Adam(network.parameters(), lr=rate, eps=1e-7, fused=True),)


def _muon_and_adamw(network: nn.Module, rate: float) -> Optimizers:
    """Muon for filters, AdamW for the rest; norms and biases without weight decay."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim == 2], "weight_decay": 0.05},
        {"params": [p for p in trained if p.ndim == 1], "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99), fused=True)
    return adamw, Muon([p for p in trained if p.ndim == 4], lr=30 * rate)


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "classic": Recipe(
            build=Classic,
            optimizers=_adam,
            epochs=10,
            batch_size=32,
            learning_rate=1e-3,
            schedule=constant,
            augments=False,
            drop_last=False,
        ),
        "default": Recipe(
            build=Default,
            optimizers=_muon_and_adamw,
            epochs=16,
            min_steps=860,
            batch_size=64,
            learning_rate=1e-2,
            schedule=one_cycle(warm_up=0.15, start=0.02),
            augments=True,
            channels_last=True,
            label_smoothing=0.1,
            average_tail=0.2,
        ),
    }
)
