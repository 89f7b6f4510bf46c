"""1,797 handwritten digits of 8 x 8 pixels (Alpaydin and Kaynak 1998), from the library scikit-learn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SUMMARY = "1,797 handwritten digits, 8 x 8, gray, about 180 a class"
LIBRARY = "sklearn"
FILE = "datasets/data/digits.csv.gz"


def parse(table: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Rows of 64 pixels from 0 to 16, which become 0 to 255, and the digit."""
    x = (table[:, :-1].astype(np.uint16) * 255 + 8) // 16
    return x.astype(np.uint8).reshape(-1, 8, 8), table[:, -1].astype(np.int64)
