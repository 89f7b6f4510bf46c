"""`sample:NAME`: a data set that ships in an installed package."""

from __future__ import annotations

import numpy as np

from glassworks.data.collection import Pictures, collect
from glassworks.data.pictures import as_picture
from glassworks.data.samples import load

SUMMARY = "a data set that ships in an installed package, by its name"


def read(name: str) -> Pictures:
    """The sample. Raises DataError for an unknown name, MissingLibrary with what to install."""
    x, y = load(name)
    classes, labels = np.unique(y, return_inverse=True)
    return collect(
        f"sample:{name}",
        list(x),
        as_picture,
        names=[str(index) for index in range(len(x))],
        labels=labels.astype(np.int64),
        classes=[str(label) for label in classes],
    )
