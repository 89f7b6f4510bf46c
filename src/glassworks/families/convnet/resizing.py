"""Progressive resizing: training starts on smaller pictures and ends on whole ones, which is quicker at first."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from glassworks.errors import ConfigError

WHOLE_FROM = 0.7
"""From here on pictures are whole: before weights are averaged, so that all averaged ones know the whole size."""
_STEP = 4
SMALLEST = 8


class Resizing:
    """The present size of pictures; what `pace` is given depends on the step alone, so a resumed run has the same.

    The side grows in a straight line from `start` (a share of the whole) to 1, in steps of four pixels.
    """

    def __init__(self, height: int, width: int, start: float) -> None:
        self._height, self._width, self._start = height, width, start
        self.pace(0.0)

    def pace(self, fraction: float) -> None:
        """Set the size for the fraction of the training that is done (0..1)."""
        share = min(1.0, self._start + (1 - self._start) * fraction / WHOLE_FROM)
        self.size = tuple(_side(whole, share) for whole in (self._height, self._width))

    def __call__(self, x: Tensor) -> Tensor:
        """Pictures (N C H W) in that size, bilinear with antialiasing as pictures that are served."""
        if tuple(x.shape[2:]) == self.size:
            return x
        return functional.interpolate(x, self.size, mode="bilinear", antialias=True, align_corners=False)


def require_any_size(network: nn.Module, resizing: Resizing, channels: int, device: torch.device) -> None:
    """Raise ConfigError for a network that takes pictures of one size only."""
    training = network.training
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, channels, *resizing.size, device=device))
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).split("\n")[0][:120]
        raise ConfigError(
            f"model.progressive: this network takes no smaller pictures ({reason})",
            'leave model.progressive out, or set training.recipe = "default"',
        ) from None
    finally:
        network.train(training)


def _side(whole: int, share: float) -> int:
    return min(whole, max(SMALLEST, _STEP * round(whole * share / _STEP))) if share < 1 else whole
