"""A look at pictures: of a folder by its names alone, of a sample by its arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glassworks.data.class_folders import FOLDERS
from glassworks.data.collection import Pictures
from glassworks.data.pictures import picture_size, thumbnail_of, thumbnail_of_file
from glassworks.data.preview.records import ClassCount, Example, Page, Preview, paged
from glassworks.data.sources.folder import looked_at
from glassworks.errors import NotFound


class PicturesPreview(Preview):
    """`labels` count in `classes`, as those of `Pictures`; `names` tell pictures apart."""

    kind = "pictures"

    def __init__(
        self,
        names: Sequence[str],
        labels: NDArray[np.int64],
        classes: Sequence[str],
        small: Callable[[int], bytes],
        size: Callable[[int], tuple[int, int]],
        split: str = "",
    ) -> None:
        self.split = split
        self.names, self._labels, self._classes, self._small, self._size = names, labels, classes, small, size

    def examples(self) -> int:
        return len(self._labels)

    def classes(self) -> tuple[ClassCount, ...]:
        counts = [len(self._of(number)) for number in range(len(self._classes))]
        found = [ClassCount(name=name, examples=count) for name, count in zip(self._classes, counts, strict=True)]
        return tuple(sorted(found, key=lambda each: -each.examples))

    def page(self, after: int = -1, limit: int = 50, label: str = "") -> Page:
        rows = np.arange(len(self._labels))
        if label:
            rows = self._of(self._classes.index(label)) if label in self._classes else rows[:0]
        begin = int(np.searchsorted(rows, after, side="right"))
        chosen = [int(row) for row in rows[begin : begin + limit + 1]]
        return paged([Example(index=row, label=self._label(row), picture=True) for row in chosen], limit)

    def sizes(self, count: int) -> Sequence[tuple[int, int]]:
        return [self._size(index) for index in range(min(count, len(self._labels)))]

    def thumbnail(self, index: int) -> bytes:
        if not 0 <= index < len(self._labels):
            raise NotFound(f"there is no picture {index}", f"there are {len(self._labels):,}, counted from 0")
        return self._small(index)

    def _of(self, number: int) -> NDArray[np.int64]:
        column = self._labels[:, number] == 1 if self._labels.ndim == 2 else self._labels == number
        return np.flatnonzero(column)

    def _label(self, row: int) -> str:
        if self._labels.ndim == 1:
            return self._classes[int(self._labels[row])]
        return ", ".join(self._classes[int(each)] for each in np.flatnonzero(self._labels[row])) or "none"


def of_folder(folder: Path) -> PicturesPreview:
    """Nothing is decoded before it is shown. Raises DataError."""
    found = looked_at(folder)
    names = [path.relative_to(folder).as_posix() for path in found.files]

    def size(index: int) -> tuple[int, int]:
        return picture_size(found.files[index].read_bytes())

    def small(index: int) -> bytes:
        return thumbnail_of_file(found.files[index].read_bytes())

    split = FOLDERS if found.assigned.parts else ""
    return PicturesPreview(names, found.labels, found.classes, small, size, split)


def of_pictures(pictures: Pictures) -> PicturesPreview:
    """Those of a sample."""

    def size(index: int) -> tuple[int, int]:
        height, width = pictures.pictures[index].shape[:2]
        return height, width

    return PicturesPreview(
        pictures.names, pictures.labels, pictures.classes, lambda index: thumbnail_of(pictures.pictures[index]), size
    )
