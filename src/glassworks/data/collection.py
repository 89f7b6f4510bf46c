"""Labelled pictures of any source, looked at once: their sizes, digests and thumbnails."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glassworks.data.assigned import NOTHING, Assigned
from glassworks.data.pictures import Picture
from glassworks.errors import DataError, InputError
from glassworks.sentences import Sentence

_T = TypeVar("_T")
_BLOCK = 64
_FORMAT = b"glassworks-pictures-1"
THUMBNAIL = 32
"""Side of the gray copy that near duplicates are confirmed on."""
CHROMA = 8
"""Side of the color copy."""


class Decoded(Sequence[Picture], Generic[_T]):
    """Pictures that are decoded when they are asked for, and not kept."""

    def __init__(self, entries: Sequence[_T], decode: Callable[[_T], Picture]) -> None:
        self._entries = entries
        self._decode = decode

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> Picture: ...
    @overload
    def __getitem__(self, index: slice) -> Decoded[_T]: ...
    def __getitem__(self, index: int | slice) -> Picture | Decoded[_T]:
        if isinstance(index, slice):
            return Decoded(self._entries[index], self._decode)
        return self._decode(self._entries[index])


@dataclass(frozen=True, kw_only=True)
class Looks:
    """What one look at every picture leaves; all arrays have N rows.

    `shapes` int64 N x 3 (height, width, channels); `digests` the SHA-256 of shape and pixels;
    `thumbnails` uint8 N x 32 x 32 gray; `chroma` uint8 N x 8 x 8 x 2 (Cb and Cr; 128 is gray).
    """

    shapes: NDArray[np.int64]
    digests: tuple[bytes, ...]
    thumbnails: NDArray[np.uint8]
    chroma: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Labelled pictures of a source. `labels` count in `classes`: int64 N, or 0 and 1 in int64 N K for several labels.

    `unreadable` and `left_out` are (name, reason); `notes` say in sentences what was left out or understood. `bits` are
    those that are used of 16 where files do not say it, 0 where all do.

    `fingerprint` is a SHA-256 over pixels and class names; the order and the paths of files do not change it.
    """

    source: str
    pictures: Sequence[Picture]
    names: tuple[str, ...]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    unreadable: tuple[tuple[str, str], ...]
    looks: Looks
    fingerprint: str
    assigned: Assigned = NOTHING
    left_out: tuple[tuple[str, str], ...] = ()
    notes: tuple[Sentence, ...] = ()
    bits: int = 0

    def __len__(self) -> int:
        return len(self.names)

    @property
    def multi_label(self) -> bool:
        """Whether a picture may have several labels, or none."""
        return self.labels.ndim == 2

    def counts(self) -> NDArray[np.int64]:
        """Pictures of each class."""
        return self.labels.sum(axis=0) if self.multi_label else np.bincount(self.labels, minlength=len(self.classes))

    def label(self, index: int) -> str:
        """The labels of a picture, for people."""
        if self.multi_label:
            return ", ".join(self.classes[each] for each in np.flatnonzero(self.labels[index])) or "none"
        return self.classes[int(self.labels[index])]


def collect(
    source: str,
    entries: Sequence[_T],
    decode: Callable[[_T], Picture],
    *,
    names: Sequence[str],
    labels: NDArray[np.int64],
    classes: Sequence[str],
    assigned: Assigned = NOTHING,
) -> Pictures:
    """Decode every entry once and keep those that can be read; the others are named in `unreadable`.

    Raises DataError when a class is left with no readable picture.
    """
    looked, failed = _look_at_all(entries, decode, names)
    kept, looks = list(looked), _stacked(list(looked.values()))
    labels, own = labels[kept], assigned.only(kept)
    _refuse_empty_classes(source, classes, labels, failed)
    return Pictures(
        source=source,
        pictures=Decoded([entries[index] for index in kept], decode),
        names=tuple(names[index] for index in kept),
        labels=labels,
        classes=tuple(classes),
        unreadable=tuple(failed),
        looks=looks,
        fingerprint=fingerprint_of(looks.digests, labels, classes, own),
        assigned=own,
    )


def in_threads(work: Callable[[int], None], count: int) -> None:
    """Call `work` with 0 ... `count` - 1, several at a time: decoding and resizing free the interpreter's lock."""

    def block(start: int) -> None:
        for index in range(start, min(start + _BLOCK, count)):
            work(index)

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for _ in pool.map(block, range(0, count, _BLOCK)):
            pass


@dataclass(frozen=True)
class _Look:
    shape: tuple[int, ...]
    digest: bytes
    thumbnail: NDArray[np.uint8]
    chroma: NDArray[np.uint8]


def _look_at_all(
    entries: Sequence[_T], decode: Callable[[_T], Picture], names: Sequence[str]
) -> tuple[dict[int, _Look], list[tuple[str, str]]]:
    """A look at each entry by its number, and the names of the others, with reasons."""
    seen: list[_Look | str] = [""] * len(entries)

    def look(index: int) -> None:
        try:
            seen[index] = _look(decode(entries[index]))
        except InputError as error:
            seen[index] = error.problem
        except OSError as error:
            seen[index] = f"it cannot be read: {error.strerror or error}"

    in_threads(look, len(entries))
    looked = {index: one for index, one in enumerate(seen) if isinstance(one, _Look)}
    return looked, [(name, one) for name, one in zip(names, seen, strict=True) if isinstance(one, str)]


def _look(picture: Picture) -> _Look:
    digest = hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).digest()
    gray = picture.shape[2] == 1
    image = Image.fromarray(picture[:, :, 0] if gray else picture)
    small = image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR)
    if gray:
        chroma = np.full((CHROMA, CHROMA, 2), 128, np.uint8)
    else:
        colors = small.resize((CHROMA, CHROMA), Image.Resampling.BILINEAR).convert("YCbCr")
        chroma = np.asarray(colors)[:, :, 1:]
    return _Look(picture.shape, digest, np.asarray(small.convert("L")), chroma)


def _stacked(looks: Sequence[_Look]) -> Looks:
    return Looks(
        shapes=np.array([one.shape for one in looks], np.int64).reshape(-1, 3),
        digests=tuple(one.digest for one in looks),
        thumbnails=np.array([one.thumbnail for one in looks], np.uint8).reshape(-1, THUMBNAIL, THUMBNAIL),
        chroma=np.array([one.chroma for one in looks], np.uint8).reshape(-1, CHROMA, CHROMA, 2),
    )


def _refuse_empty_classes(
    source: str, classes: Sequence[str], labels: NDArray[np.int64], failed: Sequence[tuple[str, str]]
) -> None:
    counts = labels.sum(axis=0) if labels.ndim == 2 else np.bincount(labels, minlength=len(classes))
    empty = [name for name, count in zip(classes, counts, strict=True) if count == 0]
    if empty:
        why = f"; for example {failed[0][0]}: {failed[0][1]}" if failed else ""
        raise DataError(
            f"'{source}': no picture of the class '{empty[0]}' can be read"
            + (f", nor of {len(empty) - 1} other classes" if len(empty) > 1 else "")
            + why,
            "replace the unreadable files, or take the class away",
        )


def fingerprint_of(
    digests: Sequence[bytes], labels: NDArray[np.int64], classes: Sequence[str], assigned: Assigned
) -> str:
    """A SHA-256 over pixels, class names and what the data say themselves; the order does not change it."""
    whole = hashlib.sha256(_FORMAT)
    named = [hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest() for name in classes]
    if labels.ndim == 2:
        whole.update(b"".join(named))
    own = [row.tobytes() for row in labels] if labels.ndim == 2 else [named[label] for label in labels]
    said = zip(own, digests, assigned.keys(len(digests)), strict=True)
    for entry in sorted(label + digest + key for label, digest, key in said):
        whole.update(entry)
    return whole.hexdigest()
