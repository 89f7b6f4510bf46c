"""Samples of pictures that are arrays."""

from __future__ import annotations

import gzip
from abc import abstractmethod
from typing import TYPE_CHECKING

from glassworks.contracts import Sample
from glassworks.data.reader import PLAIN, PictureReader, Reading

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from glassworks.data.collection import Pictures


class PictureSample(Sample, PictureReader):
    """Pictures (uint8 N H W or N H W C) and labels (N, integers or texts)."""

    @abstractmethod
    def arrays(self) -> tuple[NDArray[np.uint8], NDArray[np.generic]]:
        """Both. Raises DataError."""

    def pictures(self, what: str, how: Reading = PLAIN) -> Pictures:
        import numpy as np

        from glassworks.data.collection import collect
        from glassworks.data.pictures import as_picture

        x, y = self.arrays()
        classes, labels = np.unique(y, return_inverse=True)
        return collect(
            f"sample:{what}",
            list(x),
            as_picture,
            names=[str(index) for index in range(len(x))],
            labels=labels.astype(np.int64),
            classes=[str(label) for label in classes],
        )


def packaged_table(library: str, file: str) -> NDArray[np.uint8]:
    """A gzipped table of small numbers inside a package."""
    import numpy as np

    from glassworks.data.installed import installed

    text = gzip.decompress(installed(library, file).read_bytes()).decode("ascii")
    return np.loadtxt(text.splitlines(), delimiter=",", dtype=np.uint8, ndmin=2)
