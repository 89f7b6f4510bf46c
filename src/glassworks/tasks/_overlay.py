"""Writes an answer onto a picture, to look at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_LEAST_HEIGHT = 12
_BAR = (46, 125, 50)


def captioned(pixels: NDArray[np.uint8], label: str, probability: float) -> NDArray[np.uint8]:
    """H W 3 with a band on top: the label, its probability, and a bar as long as that."""
    height, width = pixels.shape[:2]
    band = min(height, max(_LEAST_HEIGHT, height // 18))
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width, band), fill=(0, 0, 0))
    draw.rectangle((0, 0, round(width * min(max(probability, 0.0), 1.0)), band), fill=_BAR)
    draw.text((band // 4, 0), f"{label} {probability:.0%}", fill="white", font=ImageFont.load_default(0.75 * band))
    return np.asarray(image)
