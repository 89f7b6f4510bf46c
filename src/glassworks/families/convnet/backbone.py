"""A pretrained network of timm under a new head: from a local folder, or from the hub where it can be reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from glassworks.catalog import require
from glassworks.errors import ConfigError, DataError, InputError
from glassworks.families.convnet.networks import Network, Pooled, Standardize

_FOLDER = "folder:"
_MAP = 4


class Backbone(Network):
    """`features` is the pretrained network up to its last map (N C h w), `head` a pooled linear layer."""

    def __init__(self, source: str | None, channels: int, classes: int, *, pretrained: bool = True) -> None:
        super().__init__()
        body = _load(source, pretrained)
        if channels != 3:
            raise ConfigError(
                "a pretrained backbone takes color pictures, this job has gray ones", "set model.channels = 3"
            )
        standardize = Standardize(channels, learned=False)
        standardize.mean.copy_(torch.tensor(body.pretrained_cfg.get("mean", (0.5,) * 3)).reshape(1, 3, 1, 1))
        standardize.std.copy_(torch.tensor(body.pretrained_cfg.get("std", (0.5,) * 3)).reshape(1, 3, 1, 1))
        self.features = nn.Sequential(standardize, _Features(body))
        self.head = Pooled(body.num_features, classes)


def require_map(network: Network, height: int, width: int) -> None:
    """Raise ConfigError for a backbone that does not take pictures of that size, or gives no map (N C h w) of them.

    Vision transformers give a row of tokens: they have no places that could be explained.
    """
    try:
        with torch.inference_mode():
            found = network.eval().features(torch.zeros(1, 3, height, width))
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).split("\n")[0][:120]
        raise ConfigError(
            f"the backbone takes no pictures of {height} x {width} pixels: {reason}",
            "set model.size to what it was trained with",
        ) from None
    channels = network.head.linear.in_features if isinstance(network.head, Pooled) else found.shape[1]
    if found.ndim != _MAP or found.shape[1] != channels:
        raise ConfigError(
            f"the backbone gives {list(found.shape)} for one picture, no map of {channels} channels",
            "take a convolutional network of timm, such as resnet18",
        )


class _Features(nn.Module):
    def __init__(self, body: Any) -> None:
        super().__init__()
        body.reset_classifier(0, "")
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.body.forward_features(x)
        return found


def _load(source: str | None, pretrained: bool) -> Any:
    if not source:
        raise ConfigError(
            "the recipe 'backbone' needs a pretrained network", 'set model.backbone = "folder:PATH" or a name of timm'
        )
    require(["timm"], "a pretrained backbone", extra="vision")
    try:
        import timm
    except (ImportError, RuntimeError) as error:
        # A torchvision of another build than torch fails with a RuntimeError while it is imported.
        raise InputError(
            f"timm cannot be imported: {error}", "install torchvision of the same build as torch"
        ) from error
    name = source
    if source.startswith(_FOLDER):
        name = f"local-dir:{_checked(Path(source.removeprefix(_FOLDER)).expanduser())}"
    try:
        return timm.create_model(name, pretrained=pretrained)
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        reason = str(error).split("\n")[0][:200]
        raise InputError(
            f"the backbone '{source}' cannot be loaded: {reason}", "name a model of timm, or folder:PATH"
        ) from error


def _checked(folder: Path) -> Path:
    """A folder in timm's layout whose weights are safetensors: a pickle could run anything."""
    for file in ("config.json", "model.safetensors"):
        if not (folder / file).is_file():
            raise DataError(
                f"the backbone's folder {folder} holds no {file}", "save it with timm's save_for_hf, as safetensors"
            )
    return folder.resolve()
