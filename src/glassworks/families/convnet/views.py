"""Views of one picture: it is looked at more than once, mirrored or shifted, and the answers are averaged.

All views go through the network as one larger batch. Maps are turned back, so that what is found lies where it is.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Views = Literal["none", "mirror", "shifts"]
_SHARE = 1 / 16
"""How far a shift goes, of the shorter side."""


class ViewedFeatures(nn.Module):
    """Maps of every view beside each other (N V*D h w), each turned back; shifts are less than a cell of the map."""

    def __init__(self, features: nn.Module, kind: Views) -> None:
        super().__init__()
        self.features, self.kind = features, kind

    def forward(self, x: Tensor) -> Tensor:
        every = views(x, self.kind)
        maps = self.features(torch.cat(every))
        each_view = maps.reshape(len(every), -1, *maps.shape[1:]).unbind()
        return torch.cat([turned(each, self.kind, number) for number, each in enumerate(each_view)], dim=1)


class ViewedHead(nn.Module):
    """The mean of the views' scores (N K)."""

    def __init__(self, head: nn.Module, kind: Views) -> None:
        super().__init__()
        self.head, self.kind = head, kind

    def forward(self, features: Tensor) -> Tensor:
        return self.each(features).mean(dim=0)

    def each(self, features: Tensor) -> Tensor:
        """Scores of every view (V N K); the first is of the picture as it is."""
        each_view = self.each_view(features)
        scores = self.head(torch.cat([turned(each, self.kind, number) for number, each in enumerate(each_view)]))
        found: Tensor = scores.reshape(len(each_view), -1, scores.shape[1])
        return found

    def each_view(self, features: Tensor) -> tuple[Tensor, ...]:
        """The maps of each view (N D h w); the first are of the picture as it is."""
        return features.chunk(count(self.kind), dim=1)


def count(kind: Views) -> int:
    """How many times a picture is looked at."""
    return {"none": 1, "mirror": 2, "shifts": 5}[kind]


def views(x: Tensor, kind: Views) -> tuple[Tensor, ...]:
    """The picture (N C H W) as it is, then its other views, as large; what a shift leaves bare repeats the edge."""
    if kind == "none":
        return (x,)
    if kind == "mirror":
        return x, x.flip(3)
    height, width = x.shape[2:]
    step = max(1, round(_SHARE * min(height, width)))
    padded = _repeated(_repeated(x, step, 2), step, 3)
    corners = ((0, step), (2 * step, step), (step, 0), (step, 2 * step))
    return x, *(padded[:, :, top : top + height, left : left + width] for top, left in corners)


def _repeated(x: Tensor, step: int, side: int) -> Tensor:
    """Longer by `step` at both ends of a dimension. PyTorch's own padding has no gradient that ONNX can express."""
    wide = [step if each == side else -1 for each in range(x.ndim)]
    ends = [x.narrow(side, at, 1).expand(wide) for at in (0, x.shape[side] - 1)]
    return torch.cat([ends[0], x, ends[1]], dim=side)


def turned(maps: Tensor, kind: Views, number: int) -> Tensor:
    """A view's maps as they lie on the picture, and back again."""
    return maps.flip(3) if kind == "mirror" and number == 1 else maps
