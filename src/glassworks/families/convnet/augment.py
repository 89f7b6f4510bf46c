"""Augmentation of batches that are already tensors (N C H W in [0, 1]); all randomness from PyTorch's generator."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Augmentation = Callable[[Tensor], Tensor]
Kind = Literal["none", "digits", "photos", "shifts"]


def augmentation(kind: Kind) -> Augmentation | None:
    """The augmentation of that name; None for `none`."""
    return {"none": None, "digits": affine, "photos": flip_and_crop, "shifts": crop}[kind]


def affine(x: Tensor, degrees: float = 15.0, scale: float = 0.15, shear: float = 0.2, shift: float = 2 / 28) -> Tensor:
    """A small random rotation, scaling, shear and shift (of the side) a picture, bilinear; outside is black.

    For digits, letters and symbols, which must not be mirrored.
    """
    n, _, h, w = x.shape
    u = torch.rand(6, n).to(x.device) * 2 - 1
    angle = u[0] * math.radians(degrees)
    wide, high, slant = torch.exp(u[1] * scale), torch.exp(u[2] * scale), u[3] * shear
    cosine, sine = torch.cos(angle), torch.sin(angle)
    rows = torch.stack(
        [
            torch.stack([cosine * wide, (cosine * slant - sine) * high, u[4] * 2 * shift], dim=1),
            torch.stack([sine * wide, (sine * slant + cosine) * high, u[5] * 2 * shift], dim=1),
        ],
        dim=1,
    )
    grid = functional.affine_grid(rows, [n, 1, h, w], align_corners=False)
    return functional.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def flip_and_crop(x: Tensor) -> Tensor:
    """Mirror half of the pictures and shift each by up to an eighth of its side. For photographs."""
    mirrored = (torch.rand(len(x)) < 0.5).to(x.device)
    return crop(torch.where(mirrored[:, None, None, None], x.flip(3), x))


def crop(x: Tensor, margin: float = 0.125) -> Tensor:
    """Shift each picture by up to `margin` of its side, edges reflected. Safe where mirroring changes the meaning."""
    n, _, h, w = x.shape
    reach = max(1, round(margin * min(h, w)))
    padded = functional.pad(x, (reach, reach, reach, reach), mode="reflect").permute(0, 2, 3, 1)
    rows = torch.randint(0, 2 * reach + 1, (n, 1)).to(x.device) + torch.arange(h, device=x.device)
    columns = torch.randint(0, 2 * reach + 1, (n, 1)).to(x.device) + torch.arange(w, device=x.device)
    example = torch.arange(n, device=x.device)[:, None, None]
    return padded[example, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
