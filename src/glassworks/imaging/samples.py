"""Pictures to measure a pipeline on: a few of a source, all of one size, without labels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from glassworks.data.picture_walk import Walk
from glassworks.errors import DataError, InputError
from glassworks.imaging.files import read_picture
from glassworks.imaging.operator import with_channels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[Any]

_MOST_PIXELS = 4 * 2**20
_MOST = 16


@dataclass(frozen=True, kw_only=True)
class Samples:
    """`x` is N H W C; `findings` are sentences for people."""

    x: Pixels
    fingerprint: str
    findings: tuple[str, ...]


def read_samples(source: str, channels: Literal[1, 3] | None, depth: Literal["uint8", "uint16"]) -> Samples:
    """Up to 16 pictures of a source, at most four million pixels together (but one at least), evenly spread over it.

    Without `channels` there is one where all of them are gray. Raises DataError when there is none.
    """
    names, decode = _entries(source, depth)
    if not names:
        raise DataError(f"'{source}' holds no picture", "give a folder with at least one picture file")
    chosen = sorted({round(each) for each in np.linspace(0, len(names) - 1, min(_MOST, len(names)))})
    pictures, failed = [], []
    for index in chosen:
        try:
            pictures.append(decode(index))
        except InputError as error:
            failed.append(f"{names[index]} cannot be read: {error.problem}")
    if not pictures:
        raise DataError(f"'{source}': no picture can be read; {failed[0]}", "replace the files")
    height, width = pictures[0].shape[:2]
    kept = pictures[: max(1, _MOST_PIXELS // (height * width))]
    wanted = channels or (1 if all(_is_gray(each) for each in kept) else 3)
    x = np.stack([_fitted(each, height, width, wanted) for each in kept])
    digest = hashlib.sha256(repr((x.shape, str(x.dtype))).encode() + x.tobytes()).hexdigest()
    scaled = sum(each.shape[:2] != (height, width) for each in kept)
    findings = [
        "nothing is learned: each split holds the same pictures, to measure engines on",
        *([f"{len(kept)} of {len(names):,} pictures are measured on"] if len(kept) < len(names) else []),
        *([f"{scaled} pictures of other sizes were scaled to {width} x {height} for that"] if scaled else []),
        *failed,
    ]
    return Samples(x=x, fingerprint=digest, findings=tuple(findings))


def _entries(source: str, depth: Literal["uint8", "uint16"]) -> tuple[list[str], Callable[[int], Pixels]]:
    """Names, and what decodes the one of that number."""
    scheme, _, rest = source.partition(":")
    if scheme == "folder":
        folder = Path(rest).expanduser()
        if not folder.is_dir():
            raise DataError(f"there is no folder {folder}", "give the path of a folder with picture files")
        files = sorted(Walk(folder).pictures(folder))
        return [str(path.relative_to(folder)) for path in files], lambda index: read_picture(
            files[index].read_bytes(), 3, depth
        )
    from glassworks.data.reader import read_pictures

    found = read_pictures(source, min_classes=1)

    def stored(index: int) -> Pixels:
        picture = found.pictures[index]
        return picture.astype(np.uint16) * np.uint16(257) if depth == "uint16" else picture

    return list(found.names), stored


def _is_gray(picture: Pixels) -> bool:
    return picture.shape[2] == 1 or bool((picture == picture[:, :, :1]).all())


def _fitted(picture: Pixels, height: int, width: int, channels: int) -> Pixels:
    import cv2

    if picture.shape[:2] != (height, width):
        picture = with_channels(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))
    if picture.shape[2] == channels:
        return picture
    if channels == 3:
        return np.repeat(picture, 3, axis=2)
    return picture[:, :, :1] if _is_gray(picture) else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[:, :, None]
