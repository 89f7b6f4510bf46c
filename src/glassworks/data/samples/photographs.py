"""Photographs in color, a temple and a flower, from the library scikit-learn."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from glassworks.data.installed import installed
from glassworks.data.pictures import decode_picture
from glassworks.data.samples._arrays import PictureSample

_NAMES = ("china", "flower")


class Photographs(PictureSample):
    """Two photographs, 640 x 427, color: to look at what operators do."""

    name: ClassVar[str] = "photographs"
    needs: ClassVar[tuple[str, ...]] = ("sklearn",)

    def arrays(self) -> tuple[NDArray[np.uint8], NDArray[np.generic]]:
        """Pixels (N H W 3) and what they show."""
        files = [installed("sklearn", f"datasets/images/{name}.jpg").read_bytes() for name in _NAMES]
        return np.stack([decode_picture(file) for file in files]), np.array(_NAMES)
