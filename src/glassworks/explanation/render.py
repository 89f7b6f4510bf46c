"""Renders an explanation for people: a heat map over the picture (PNG), and shaded blocks for a terminal."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_SMALLEST_SIDE = 280
_FOR, _AGAINST = (214, 39, 40), (31, 119, 180)
"""Red speaks for the class, blue against it: distinct for people with any color vision."""
_SHADES = " ░▒▓█"
_COLUMNS = 32


def normalized(values: Floats) -> Floats:
    """Values by pixel (H W), channels summed, scaled to [-1, 1] by the 99.5th percentile of their size.

    Zero stays zero and signs stay: two maps on one scale would need their own scale beside them.
    """
    pixels = values.reshape(-1, values.shape[-2], values.shape[-1]).sum(axis=0)
    scale = float(np.percentile(np.abs(pixels), 99.5)) or float(np.abs(pixels).max())
    return np.clip(pixels / scale, -1, 1).astype(np.float32) if scale > 0 else np.zeros_like(pixels, dtype=np.float32)


def heat_map_png(picture: NDArray[np.uint8], values: Floats, caption: str = "") -> bytes:
    """The picture (H W C), and beside it the same under its heat map, as a PNG of at least 280 pixels a side.

    Gray shows the picture, red what speaks for the class, blue what speaks against it.
    """
    from PIL import Image, ImageDraw, ImageFont

    factor = max(1, -(-_SMALLEST_SIDE // min(picture.shape[:2])))
    color = np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture[:, :, :3]
    heat = normalized(values)
    strength = np.abs(heat)[:, :, None] ** 0.7
    paint = np.where(heat[:, :, None] >= 0, np.array(_FOR), np.array(_AGAINST))
    ground = 0.45 * color.mean(axis=2, keepdims=True) + 100
    overlay = (1 - strength) * ground + strength * paint
    panels = [np.kron(panel.astype(np.uint8), np.ones((factor, factor, 1), np.uint8)) for panel in (color, overlay)]
    gap = np.full((panels[0].shape[0], factor, 3), 255, np.uint8)
    sheet = np.concatenate([panels[0], gap, panels[1]], axis=1)
    band = 28 if caption else 0
    image = Image.new("RGB", (sheet.shape[1], sheet.shape[0] + band), "white")
    image.paste(Image.fromarray(sheet), (0, band))
    if caption:
        ImageDraw.Draw(image).text((6, 6), caption, fill="black", font=ImageFont.load_default(15))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def shaded_blocks(values: Floats) -> list[list[tuple[str, str]]]:
    """Rows of (block, style) for a terminal: two characters a cell, at most 32 cells a row."""
    heat = normalized(values)
    step = -(-heat.shape[1] // _COLUMNS)
    height, width = heat.shape[0] // step * step, heat.shape[1] // step * step
    coarse = heat[:height, :width].reshape(height // step, step, width // step, step).mean(axis=(1, 3))
    top = float(np.abs(coarse).max()) or 1.0
    levels = np.minimum(np.abs(coarse) / top * len(_SHADES), len(_SHADES) - 1).astype(int)
    return [
        [(_SHADES[level] * 2, _style(level, value)) for level, value in zip(row, signs, strict=True)]
        for row, signs in zip(levels, coarse, strict=True)
    ]


def _style(level: int, value: float) -> str:
    """Zero has no color."""
    if level == 0:
        return ""
    return "red" if value > 0 else "blue"
