"""Picture files: JPEG, PNG and the others as pixels of 8 or 16 bits, and pixels as PNG.

Pillow looks at the head of a file, so that its kind and size are known before anything is decoded. OpenCV decodes JPEG
and PNG, to the same pixels as Pillow and in a third of the time; Pillow decodes all else.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from glassworks.catalog import require
from glassworks.data.pictures import MAX_PIXELS, decode_deep_gray, decode_picture, eight_bits, open_picture
from glassworks.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[Any]

_MEND = "give a whole file"
_DIRECT = {"JPEG": ("L", "RGB"), "PNG": ("L", "RGB")}
"""Kinds and pixel types that OpenCV reads exactly as Pillow does."""
_MANY_CHUNKS = 65_536
"""Of a PNG; a file of 64 MiB has a tenth of that."""
_OPENCV_SIDE = 1_000_000
"""Pixels: OpenCV reads and writes no longer PNG."""
_JPEG_SIDE = 65_500
_EXIF = b"Exif\x00\x00"
_END = b"\xff\xd9"


def read_picture(
    data: bytes, channels: int, depth: Literal["uint8", "uint16"] = "uint8", max_pixels: int = MAX_PIXELS
) -> Pixels:
    """The first frame of a picture file, upright, H W C with so many channels and such pixels.

    Of 8 bits 16 are made by repetition (times 257); transparency is laid on white, CMYK becomes RGB.
    Raises InputError for what is no picture, is damaged or cut short, or holds more than `max_pixels` pixels.
    """
    require(("cv2",), "reading pictures for operators", extra="video")
    with open_picture(data, max_pixels) as image:
        form, mode, size = image.format or "", image.mode, image.size
    if form == "PNG":
        _require_whole_png(data)
    if (form == "PNG" and data[24] == 16) or (form == "TIFF" and mode.startswith("I;16")):
        pixels = _deep(data) if form == "PNG" else decode_deep_gray(data, max_pixels)
        return _converted(pixels if depth == "uint16" else eight_bits(pixels), channels)
    if mode in _DIRECT.get(form, ()) and max(size) <= _OPENCV_SIDE and not _is_turned(data, form):
        if form == "JPEG" and not _is_whole(data):
            raise InputError("the JPEG picture is cut short: its end is missing", _MEND)
        pixels = _by_opencv(data, gray=mode == "L", form=form)
    else:
        pixels = decode_picture(data, max_pixels=max_pixels)
    return with_kind(pixels, channels, depth)


def with_kind(pixels: Pixels, channels: int, depth: Literal["uint8", "uint16"]) -> Pixels:
    """uint8 H W C with so many channels and such pixels."""
    pixels = _converted(pixels, channels)
    if depth == "uint16":
        pixels = pixels.astype(np.uint16)
        pixels *= np.uint16(257)
    return pixels


def of_8_bits(picture: Pixels) -> Pixels:
    """Any H W C in uint8, to look at: 16 bits are cut to 8, others scaled from their smallest to their largest."""
    if picture.dtype == np.uint8:
        return picture
    if picture.dtype == np.uint16:
        return (picture // 257).astype(np.uint8)
    least, most = float(picture.min()), float(picture.max())
    scale = 255 / (most - least) if most > least else 0
    found = np.empty(picture.shape, np.uint8)
    for row, values in zip(
        found, picture, strict=True
    ):  # not all at once: numbers of 64 bits would be 8 times as large
        row[:] = np.rint((values.astype(np.float64) - least) * scale)
    return found


def write_png(picture: Pixels) -> bytes:
    """uint8 or uint16 H W C as a PNG file; other pixels are scaled to 8 bits, from their smallest to their largest.

    Raises InputError for more than a million pixels a side.
    """
    return _written(picture if picture.dtype == np.uint16 else of_8_bits(picture), "PNG", _OPENCV_SIDE, ())


def write_jpeg(picture: Pixels) -> bytes:
    """uint8 H W C as a JPEG file. Raises InputError for more than 65,500 pixels a side."""
    import cv2

    return _written(picture, "JPEG", _JPEG_SIDE, (cv2.IMWRITE_JPEG_QUALITY, 92))


def _written(picture: Pixels, form: str, side: int, options: Sequence[int]) -> bytes:
    import cv2

    height, width = picture.shape[:2]
    whole = max(height, width) <= side
    if whole:
        turned = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.shape[2] == 3 else picture
        whole, file = cv2.imencode(f".{form.lower()}", turned, options)
    if not whole:
        raise InputError(
            f"a picture of {width:,} x {height:,} pixels cannot be written as {form}, which holds {side:,} a side",
            "ask for the answer in words (application/json), or give a smaller picture",
        )
    return bytes(file)


def write_npy(values: Pixels) -> bytes:
    """The numbers themselves, as NumPy's own file."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def _by_opencv(data: bytes, *, gray: bool, form: str) -> Pixels:
    import cv2

    flag = cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR_RGB
    found = _decoded(data, flag | cv2.IMREAD_IGNORE_ORIENTATION, f"{form} picture")
    return found if found.ndim == 3 else found[:, :, None]


def _deep(data: bytes) -> Pixels:
    """A PNG of 16 bits a channel, which Pillow reads for gray only."""
    import cv2

    found = _decoded(data, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR, "PNG picture of 16 bits")
    if found.dtype != np.uint16:
        raise InputError("the PNG picture of 16 bits is damaged or cut short", _MEND)
    return cv2.cvtColor(found, cv2.COLOR_BGR2RGB) if found.ndim == 3 else found[:, :, None]


def _decoded(data: bytes, flags: int, what: str) -> Pixels:
    import cv2

    try:
        found: Pixels | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise InputError(f"the {what} cannot be decoded: {error.err or error}", _MEND) from None
    if found is None:
        raise InputError(f"the {what} is damaged or cut short", _MEND)
    return found


def _require_whole_png(data: bytes) -> None:
    """Raise InputError unless all chunks end in the file: OpenCV makes room for as much as a chunk says that it has."""
    position = len(b"\x89PNG\r\n\x1a\n")
    for _ in range(_MANY_CHUNKS):
        kind = data[position + 4 : position + 8]
        position += 12 + int.from_bytes(data[position : position + 4], "big")
        if position > len(data):
            break
        if kind == b"IEND":
            return
    raise InputError("the PNG picture is damaged or cut short: it has no end", _MEND)


def _is_turned(data: bytes, form: str) -> bool:
    """Whether there may be a note on the orientation of the camera."""
    return _EXIF in data[:65_536] if form == "JPEG" else b"eXIf" in data


def _is_whole(data: bytes) -> bool:
    """Whether the end marker lies behind the start of the pixels: a thumbnail in the header has one of its own."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], struct.unpack(">H", data[position + 2 : position + 4])[0]
        position += 2 + length
        if marker == 0xDA:
            break
    return data.rfind(_END) >= position


def _converted(pixels: Pixels, channels: int) -> Pixels:
    """Color becomes gray as the operator `grayscale` makes it, gray becomes color by repetition."""
    import cv2

    if pixels.shape[2] == channels:
        return pixels
    if channels == 1:
        return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[:, :, None]
    return np.repeat(pixels, channels, axis=2)
