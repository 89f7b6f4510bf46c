"""Writes labels with their probabilities onto a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_LEAST_HEIGHT = 12
_LARGEST_HEIGHT = 256
_BAR = (46, 125, 50)


def captioned(pixels: NDArray[np.uint8], labels: Sequence[tuple[str, float]]) -> NDArray[np.uint8]:
    """H W 3 with a band on top for each label: its name, its probability, and a bar as long as that.

    As many as fit into half of the picture, at least one; a picture without a label has none.
    """
    height, width = pixels.shape[:2]
    # Limited by the width too: the letters of a strip of a million rows could not be drawn.
    band = min(height, max(_LEAST_HEIGHT, min(height, 2 * width) // 18), _LARGEST_HEIGHT)
    image = Image.fromarray(pixels)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(0.75 * band)
    for row, (label, probability) in enumerate(labels[: max(1, height // 2 // band)]):
        top = row * band
        draw.rectangle((0, top, width, top + band), fill=(0, 0, 0))
        draw.rectangle((0, top, round(width * min(max(probability, 0.0), 1.0)), top + band), fill=_BAR)
        draw.text((band // 4, top), f"{label} {probability:.0%}", fill="white", font=font)
    return np.asarray(image)
