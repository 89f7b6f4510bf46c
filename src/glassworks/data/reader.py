"""Reading labelled pictures from any source."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

from glassworks.contracts import Reader
from glassworks.data.kinds import reader_of
from glassworks.data.split_keys import SplitData
from glassworks.data.tabular.format import TableFormat
from glassworks.errors import DataError

if TYPE_CHECKING:
    from glassworks.config import DataConfig
    from glassworks.data.collection import Pictures
    from glassworks.data.pictures import Picture


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a job says of how its pictures are read, as the keys of `PictureData`; `files` of the parts validation and
    test where these are not in the source itself."""

    bits: int = 0
    separator: str = ""
    split: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    table: TableFormat = field(default_factory=TableFormat)

    @classmethod
    def of(cls, data: DataConfig) -> Self:
        """By the keys of a job's data, those of pictures or the common ones alone."""
        own = {key: getattr(data, key) for key in ("bits", "separator", "group") if hasattr(data, key)}
        if isinstance(data, SplitData):
            own |= {"split": data.split_column, "files": data.split_files}
        return cls(table=TableFormat.of(data), **own)

    @classmethod
    def of_model(cls, preprocessing: Mapping[str, Any]) -> Self:
        """As the pictures were read that a model learned from."""
        return cls(bits=int(preprocessing.get("bits", 0)))


PLAIN = Reading()


class PictureReader(Reader):
    """Reads labelled pictures."""

    kind: ClassVar[str] = "pictures"

    @abstractmethod
    def pictures(self, what: str, how: Reading = PLAIN) -> Pictures:
        """All pictures with their labels. Raises DataError for what cannot be read."""

    def unlabeled(self, what: str) -> Iterator[tuple[str, Callable[[], bytes | Picture]]]:
        """All pictures in their order, labelled or not: a name, and what reads the file's bytes or the pixels."""
        found = self.pictures(what)
        for index, name in enumerate(found.names):
            yield name, partial(found.pictures.__getitem__, index)


def read_pictures(source: str, how: Reading = PLAIN, *, min_classes: int = 2) -> Pictures:
    """The labelled pictures of `SCHEME:WHAT`. Raises DataError when there is nothing to learn from them.

    `min_classes` is 1 for pictures that are only measured, not learned.
    """
    if how.files:
        from glassworks.data.picture_parts import joined_parts

        pictures = joined_parts(source, how)
    else:
        reader, what = reader_of(source, PictureReader)
        pictures = reader.pictures(what, how)
    if len(pictures.classes) < min_classes:
        first = pictures.left_out[:1]
        others = "".join(
            f"; {len(pictures.left_out):,} files are left out, such as {name}: {why}" for name, why in first
        )
        raise DataError(
            f"'{source}' holds only one class, '{pictures.classes[0]}'; a classifier needs at least {min_classes}"
            + others,
            "add pictures of another class",
        )
    return pictures
