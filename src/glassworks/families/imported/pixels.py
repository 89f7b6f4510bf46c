"""Ways in which pixels from 0 to 1 become what a model takes, and which of them a model was made for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.errors import ConfigError, DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SMALLEST = 1e-7
LARGEST_TRIAL = 512
"""Labeled examples on which ways are tried."""


@dataclass(frozen=True)
class Pixels:
    """(value - mean) / std of each channel from 0 to 1; `reverse` has blue first."""

    name: str
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    reverse: bool = False

    def suits(self, channels: int) -> bool:
        """Whether it has a number for each channel."""
        return len(self.mean) in (1, channels) and not (self.reverse and channels == 1)


WAYS = (
    Pixels("unit"),
    Pixels("imagenet", _MEAN, _STD),
    Pixels("signed", (0.5,), (0.5,)),
    Pixels("bytes", (0.0,), (1 / 255,)),
    Pixels("caffe", (103.939 / 255, 116.779 / 255, 123.68 / 255), (1 / 255,), reverse=True),
)
"""torchvision's and transformers' usual ones, TensorFlow's, Keras's own scaling layers, and Caffe's (Keras `caffe`)."""


def stated(name: str, mean: Sequence[float], std: Sequence[float], said: Mapping[str, Any], channels: int) -> Any:
    """The way that the job or else the model's file states; None where neither does. Raises ConfigError."""
    way = None
    if name == "stated":
        way = Pixels("stated", tuple(mean), tuple(std))
    elif name:
        way = next(each for each in WAYS if each.name == name)
    elif "mean" in said and "std" in said:
        scale = float(said.get("scale", 1 / 255)) * 255
        mean, std = (tuple(float(each) / scale for each in said[key]) for key in ("mean", "std"))
        way = Pixels("the file's", mean, std)
    if way is not None and not way.suits(channels):
        raise ConfigError(
            f"the preprocessing '{way.name}' is for {len(way.mean)} channels, the model takes {channels}",
            'state mean and std, a number a channel: model.preprocessing = "stated"',
        )
    return way


def fits(probabilities: NDArray[Any], targets: NDArray[Any]) -> tuple[float, float]:
    """(accuracy, -log loss) of probabilities (N K): the larger pair fits better."""
    right = probabilities[np.arange(len(targets)), targets].astype(np.float64)
    return float((probabilities.argmax(1) == targets).mean()), float(np.log(np.maximum(right, _SMALLEST)).mean())


def require_tried(targets: NDArray[Any]) -> None:
    """Raises DataError where examples cannot tell ways apart."""
    if len(np.unique(targets)) < 2:
        raise DataError(
            "the preprocessing cannot be found: the validation examples are of one class",
            "state it: --preprocessing imagenet, unit, signed, bytes or caffe",
        )
