"""Handwritten digits of 8 x 8 pixels (Alpaydin and Kaynak 1998), from the library scikit-learn."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from glassworks.data.samples._arrays import PictureSample, packaged_table


class Digits(PictureSample):
    """1,797 handwritten digits, 8 x 8, gray, about 180 a class."""

    name: ClassVar[str] = "digits"
    needs: ClassVar[tuple[str, ...]] = ("sklearn",)

    def arrays(self) -> tuple[NDArray[np.uint8], NDArray[np.generic]]:
        """Pixels from 0 to 16, which become 0 to 255, and the digit."""
        table = packaged_table("sklearn", "datasets/data/digits.csv.gz")
        x = (table[:, :-1].astype(np.uint16) * 255 + 8) // 16
        return x.astype(np.uint8).reshape(-1, 8, 8), table[:, -1].astype(np.int64)
