"""The textbook network and ours. Shapes: N examples, C channels, H height, W width, K classes."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from glassworks.errors import ConfigError
from glassworks.families.convnet.views import ViewedFeatures, ViewedHead, Views

SMALLEST, LARGEST = 8, 512
_WIDTHS = (32, 64, 96, 128, 192, 256, 256)


class Network(nn.Module):
    """Scores (N K) of pictures (N C H W) in [0, 1]: `head(features(x))`."""

    features: nn.Module
    head: nn.Module

    def __init__(self) -> None:
        super().__init__()
        # What is put out beside the scores and is no part of them. Attributes of the class would hide the first three.
        self.novelty: nn.Module | None = None
        self.center: Tensor | None = None
        self.thresholds: Tensor | None = None
        """Of networks with several labels a picture: the probability from which each label (K) is reported."""
        self.temperature = 1.0
        self.views: Views = "none"

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.features(x))
        return scores


class Classic(Network):
    """The network of the textbook Keras script: two convolutions, two poolings, a hidden layer of 128."""

    def __init__(self, height: int, width: int, channels: int, classes: int) -> None:
        super().__init__()
        sides = [((side - 2) // 2 - 2) // 2 for side in (height, width)]
        if min(sides) < 1:
            raise ConfigError(
                f"the recipe 'classic' needs pictures of at least 10 x 10 pixels, these have {height} x {width}",
                'set training.recipe = "default", or model.size to 10 or more',
            )
        self.features = nn.Sequential(
            nn.Conv2d(channels, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU()
        )
        self.head = nn.Sequential(
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64 * sides[0] * sides[1], 128), nn.ReLU(), nn.Linear(128, classes)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


class Standardize(nn.Module):
    """(x - mean) / std by channel; where it is `learned`, from the training pictures, and never by gradient."""

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int, *, learned: bool = True) -> None:
        super().__init__()
        self.learned = learned
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("std", torch.ones(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


class ConvUnit(nn.Sequential):
    """Convolution, batch normalization, SiLU. Strides replace pooling: cheap to differentiate in a compiled graph."""

    def __init__(self, channels: int, filters: int, kernel: int, stride: int) -> None:
        convolution = nn.Conv2d(channels, filters, kernel, stride, kernel // 2, bias=False)
        nn.init.kaiming_normal_(convolution.weight, mode="fan_in", nonlinearity="relu")
        super().__init__(convolution, nn.BatchNorm2d(filters), nn.SiLU())


class Pooled(nn.Module):
    """Global average pooling and a linear layer: Grad-CAM of such a head is nearly free."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, classes)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.linear(x.mean(dim=(2, 3)))
        return scores


class Default(Network):
    """Stages of stride-2 convolutions down to about 4 x 4 positions, smooth activations, a pooled head."""

    def __init__(self, height: int, width: int, channels: int, classes: int) -> None:
        super().__init__()
        stages = min(len(_WIDTHS), max(1, round(math.log2(min(height, width) / 4))))
        filters = _WIDTHS[0]
        units: list[nn.Module] = [ConvUnit(channels, filters, kernel=5, stride=2)]
        if stages == 1:
            units.append(ConvUnit(filters, _WIDTHS[1], kernel=3, stride=1))
            filters = _WIDTHS[1]
        for stage in range(1, stages):
            units.append(ConvUnit(filters, _WIDTHS[stage], kernel=3, stride=2))
            filters = _WIDTHS[stage]
            if stage < stages - 1 or stages == 2:
                units.append(ConvUnit(filters, filters, kernel=3, stride=1))
        self.features = nn.Sequential(Standardize(channels), *units)
        self.head = Pooled(filters, classes)


def arrange(network: nn.Module, *, channels_last: bool) -> None:
    """Lay the filters out in memory as the engine computes fastest with them."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network.to(memory_format=layout)  # type: ignore[call-overload] # missing in PyTorch's own types


class Tempered(nn.Module):
    """Scores over a temperature (Guo et al. 2017, section 4.2)."""

    def __init__(self, head: nn.Module, temperature: float) -> None:
        super().__init__()
        self.head, self.temperature = head, temperature

    def forward(self, features: Tensor) -> Tensor:
        scores: Tensor = self.head(features) / self.temperature
        return scores


def deployable(network: Network) -> Network:
    """A copy for inference: frozen, in fp32 on the CPU, batch normalizations folded into their convolutions.

    Its scores are calibrated, and the mean of those of all views.
    """
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    frozen: Network = copy.deepcopy(network)
    frozen.to("cpu", torch.float32)
    arrange(frozen, channels_last=False)
    frozen.eval().requires_grad_(False)
    for module in frozen.modules():
        if isinstance(module, ConvUnit):
            fused = fuse_conv_bn_eval(module[0], module[1])  # type: ignore[arg-type, type-var]
            module[0], module[1] = fused, nn.Identity()
    if frozen.temperature != 1.0:
        frozen.head = Tempered(frozen.head, frozen.temperature)
    if frozen.views != "none":
        frozen.features, frozen.head = (
            ViewedFeatures(frozen.features, frozen.views),
            ViewedHead(frozen.head, frozen.views),
        )
    return frozen
