"""Two photographs in color, a temple and a flower, from the library scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glassworks.data.pictures import decode_picture

SUMMARY = "two photographs, 640 x 427, color: to look at what operators do"
LIBRARY = "sklearn"
FILES = ("datasets/images/china.jpg", "datasets/images/flower.jpg")
_NAMES = ("china", "flower")


def parse(files: Sequence[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
    """Pixels (N H W 3) and what they show."""
    return np.stack([decode_picture(file) for file in files]), np.array(_NAMES)
