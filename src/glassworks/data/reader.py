"""Reading labelled pictures from any source."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Reader
from glassworks.data.kinds import reader_of
from glassworks.errors import DataError

if TYPE_CHECKING:
    from glassworks.data.collection import Pictures
    from glassworks.data.pictures import Picture


class PictureReader(Reader):
    """Reads labelled pictures."""

    kind: ClassVar[str] = "pictures"

    @abstractmethod
    def pictures(self, what: str) -> Pictures:
        """All pictures with their labels. Raises DataError for what cannot be read."""

    def unlabeled(self, what: str) -> Iterator[tuple[str, Callable[[], bytes | Picture]]]:
        """All pictures in their order, labelled or not: a name, and what reads the file's bytes or the pixels."""
        found = self.pictures(what)
        for index, name in enumerate(found.names):
            yield name, partial(found.pictures.__getitem__, index)


def read_pictures(source: str, *, min_classes: int = 2) -> Pictures:
    """The labelled pictures of `SCHEME:WHAT`. Raises DataError when there is nothing to learn from them.

    `min_classes` is 1 for pictures that are only measured, not learned.
    """
    reader, what = reader_of(source, PictureReader)
    pictures = reader.pictures(what)
    if len(pictures.classes) < min_classes:
        raise DataError(
            f"'{source}' holds only one class, '{pictures.classes[0]}'; a classifier needs at least {min_classes}",
            "add pictures of another class",
        )
    return pictures
