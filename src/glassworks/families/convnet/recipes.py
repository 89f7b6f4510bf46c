"""Recipes: a network with its way of training. `default` is ours; `classic` is the textbook baseline users know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import nn

from glassworks.families.convnet.networks import Classic, Default, Network
from glassworks.training.muon import Muon
from glassworks.training.plan import Schedule, constant, cosine, one_cycle

Optimizers = tuple[torch.optim.Optimizer, ...]


class Shape(NamedTuple):
    """What goes in (pixels and channels) and how many classes come out."""

    height: int
    width: int
    channels: int
    classes: int


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """`build(shape, backbone)` makes the network, `optimizers(network, rate)` its optimizers."""

    build: Callable[[Shape, str | None], Network]
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


def _backbone(shape: Shape, backbone: str | None) -> Network:
    from glassworks.families.convnet.backbone import Backbone, require_map

    network = Backbone(backbone, shape.channels, shape.classes)
    require_map(network, shape.height, shape.width)
    return network


def _adamw(network: nn.Module, rate: float) -> Optimizers:
    return (torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.05, fused=True),)


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
            build=lambda shape, backbone: Classic(*shape),
            optimizers=_adam,
            epochs=10,
            batch_size=32,
            learning_rate=1e-3,
            schedule=constant,
            augments=False,
            drop_last=False,
        ),
        "default": Recipe(
            build=lambda shape, backbone: Default(*shape),
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
        "backbone": Recipe(
            build=_backbone,
            optimizers=_adamw,
            epochs=10,
            min_steps=300,
            batch_size=32,
            learning_rate=3e-4,
            schedule=cosine(warm_up=0.1),
            augments=True,
            label_smoothing=0.1,
            average_tail=0.2,
        ),
    }
)
