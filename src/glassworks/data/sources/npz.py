"""`npz:PATH`: a NumPy file with `x` (uint8, N x H x W or N x H x W x C) and `y` (N integers or texts)."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Source
from glassworks.data.collection import Pictures, collect
from glassworks.data.pictures import as_picture
from glassworks.data.reader import PLAIN, PictureReader, Reading
from glassworks.errors import DataError

_MEND = "write it with numpy.savez(PATH, x=pictures, y=labels)"
_AGAIN = "write or copy the file again"
# What the readers of archives and of NumPy's files raise on damaged ones; NotImplementedError, a RuntimeError, is for
# unknown ways of packing, RuntimeError for encrypted members, TokenError and SyntaxError for heads that are no Python.
_FAULTS = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, RuntimeError),
    *(TokenError, SyntaxError, KeyError, IndexError, TypeError, OverflowError),
)


class Npz(Source, PictureReader):
    """A NumPy file with x (uint8, N x H x W or N x H x W x C) and y (N integers or texts)."""

    name: ClassVar[str] = "npz"

    def pictures(self, what: str, how: Reading = PLAIN) -> Pictures:
        """Raises DataError for every way in which the file can be malformed."""
        path = Path(what).expanduser()
        if not path.is_file():
            raise DataError(f"there is no file {path}", "give the path of an npz file")
        x, y = _arrays(path)
        _check_pictures(path, x)
        _check_labels(path, y, len(x))
        classes, labels = np.unique(y, return_inverse=True)
        return collect(
            f"npz:{path}",
            list(x.astype(np.uint8, copy=False)),
            as_picture,
            names=[str(index) for index in range(len(x))],
            labels=labels.astype(np.int64),
            classes=_names(path, classes),
        )


def _arrays(path: Path) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    try:
        if not zipfile.is_zipfile(path):
            raise DataError(f"{path} is not an npz file", _MEND)
        # Opened here: what NumPy opens itself stays open where the archive is damaged.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            missing = [key for key in ("x", "y") if key not in file.files]
            if missing:
                holds = ", ".join(file.files) or "nothing"
                raise DataError(f"{path} has no array '{missing[0]}'; it holds: {holds}", _MEND)
            return _array(path, file, "x"), _array(path, file, "y")
    except MemoryError:
        raise DataError(f"{path} holds more than fits into memory", "write fewer or smaller pictures") from None
    except _FAULTS as error:
        raise DataError(f"{path} is damaged: {str(error)[:200] or type(error).__name__}", _AGAIN) from None


def _array(path: Path, file: np.lib.npyio.NpzFile, key: str) -> NDArray[np.generic]:
    try:
        array: NDArray[np.generic] | bytes = file[key]
    except _FAULTS as error:
        reason = str(error)
        if "pickle" in reason or "Object" in reason:
            raise DataError(
                f"{path}: '{key}' holds Python objects, which are never loaded", "save an array of numbers or texts"
            ) from None
        raise DataError(f"{path}: '{key}' is damaged: {reason[:200] or type(error).__name__}", _AGAIN) from None
    if isinstance(array, bytes):  # NumPy gives a member that does not begin as its files do as it is
        raise DataError(f"{path}: '{key}' is no array of NumPy", _MEND)
    return array


def _names(path: Path, classes: NDArray[np.generic]) -> list[str]:
    try:
        names = [str(name) for name in classes]
        "".join(names).encode()
    except (UnicodeError, SystemError):  # numbers that are no characters, or half of a pair
        raise DataError(f"{path}: 'y' holds texts that are not Unicode", "save the labels as texts again") from None
    return names


def _check_pictures(path: Path, x: NDArray[np.generic]) -> None:
    if x.dtype != np.uint8:
        raise DataError(
            f"{path}: 'x' is {x.dtype}{_nan_note(x)}; uint8 is expected", "scale the pixels to 0 ... 255 as uint8"
        )
    if x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[3] not in (1, 3, 4)):
        raise DataError(
            f"{path}: 'x' has the shape {x.shape}; N x H x W or N x H x W x C with C of 1, 3 or 4 is expected",
            "put the examples first and the channels last",
        )
    if 0 in x.shape:
        raise DataError(f"{path}: 'x' has the shape {x.shape}: it holds no pixels", "save at least one picture")


def _check_labels(path: Path, y: NDArray[np.generic], examples: int) -> None:
    if y.dtype.kind not in "iuU":
        raise DataError(
            f"{path}: 'y' is {y.dtype}{_nan_note(y)}; integers or texts are expected", "save one label an example"
        )
    if y.shape != (examples,):
        raise DataError(
            f"{path}: 'y' has the shape {y.shape}, but 'x' holds {examples} pictures", "save one label an example"
        )


def _nan_note(array: NDArray[np.generic]) -> str:
    if array.dtype.kind != "f":
        return ""
    count = int(np.isnan(array.astype(np.float64)).sum())
    return f" with {count} NaN" if count else ""
