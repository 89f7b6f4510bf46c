"""What tasks on pictures share: how those of a data source are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.contracts import Pictures, Task

if TYPE_CHECKING:
    from glassworks.contracts import Array
    from glassworks.data.pictures import Picture


class PictureTask(Task, Pictures):
    """Takes pictures of every source of pictures."""

    def inputs(self, source: str, preprocessing: Mapping[str, Any]) -> Iterator[tuple[str, Callable[[], Array]]]:
        """Each picture as it would be if its file were sent."""
        from glassworks.data.kinds import reader_of
        from glassworks.data.reader import PictureReader

        reader, what = reader_of(source, PictureReader)
        for name, read in reader.unlabeled(what):
            yield name, partial(self._stored, read, preprocessing)

    def _stored(self, read: Callable[[], bytes | Picture], preprocessing: Mapping[str, Any]) -> Array:
        value = read()
        if isinstance(value, bytes):
            return self.decode(value, preprocessing)
        return self.fit(np.broadcast_to(value, (*value.shape[:2], 3)), preprocessing)
