"""Picture files: JPEG, PNG and the others as pixels of 8 or 16 bits, and pixels as PNG.

Pillow looks at the head of a file, so that its kind and size are known before anything is decoded. OpenCV decodes JPEG
and PNG, to the same pixels as Pillow and in a third of the time; Pillow decodes all else.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from glassworks.catalog import require
from glassworks.data.pictures import MAX_PIXELS, decode_picture, open_picture, too_many_pixels
from glassworks.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[Any]

_MEND = "give a whole file"
_DIRECT = {"JPEG": ("L", "RGB"), "PNG": ("L", "RGB")}
"""Kinds and pixel types that OpenCV reads exactly as Pillow does."""
_DEEP = ("PNG", "TIFF")
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
    with open_picture(data) as image:
        form, mode, (width, height) = image.format or "", image.mode, image.size
        deep = form in _DEEP and _is_deep(data, form, mode)
    if width * height > max_pixels:
        raise too_many_pixels(width, height, max_pixels)
    if deep:
        pixels = _deep(data, form)
        return _converted(
            pixels if depth == "uint16" else ((pixels.astype(np.uint32) * 255 + 32_767) // 65_535).astype(np.uint8),
            channels,
        )
    if mode in _DIRECT.get(form, ()) and not _is_turned(data, form):
        if form == "JPEG" and not _is_whole(data):
            raise InputError("the JPEG picture is cut short: its end is missing", _MEND)
        pixels = _by_opencv(data, gray=mode == "L", form=form)
    else:
        pixels = decode_picture(data, max_pixels=max_pixels)
    return with_kind(pixels, channels, depth)


def with_kind(pixels: Pixels, channels: int, depth: Literal["uint8", "uint16"]) -> Pixels:
    """uint8 H W C with so many channels and such pixels."""
    pixels = _converted(pixels, channels)
    return pixels.astype(np.uint16) * np.uint16(257) if depth == "uint16" else pixels


def of_8_bits(picture: Pixels) -> Pixels:
    """Any H W C in uint8, to look at: 16 bits are cut to 8, others scaled from their smallest to their largest."""
    if picture.dtype == np.uint8:
        return picture
    if picture.dtype == np.uint16:
        return (picture // 257).astype(np.uint8)
    real = picture.astype(np.float64)
    least, most = float(real.min()), float(real.max())
    return np.rint((real - least) * (255 / (most - least) if most > least else 0)).astype(np.uint8)


def write_png(picture: Pixels) -> bytes:
    """uint8 or uint16 H W C as a PNG file; other pixels are scaled to 8 bits, from their smallest to their largest."""
    import cv2

    if picture.dtype != np.uint16:
        picture = of_8_bits(picture)
    if picture.shape[2] == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".png", picture)[1])


def write_jpeg(picture: Pixels) -> bytes:
    """uint8 H W C as a JPEG file."""
    import cv2

    turned = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.shape[2] == 3 else picture
    return bytes(cv2.imencode(".jpg", turned, [cv2.IMWRITE_JPEG_QUALITY, 92])[1])


def write_npy(values: Pixels) -> bytes:
    """The numbers themselves, as NumPy's own file."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def _by_opencv(data: bytes, *, gray: bool, form: str) -> Pixels:
    import cv2

    flag = cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR_RGB
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), flag | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise InputError(f"the {form} picture cannot be decoded: {error.err or error}", _MEND) from None
    if found is None:
        raise InputError(f"the {form} picture is damaged or cut short", _MEND)
    return found if found.ndim == 3 else found[:, :, None]


def _deep(data: bytes, form: str) -> Pixels:
    """16 bits a channel, which Pillow reads for gray only."""
    import cv2

    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR)
    if found is None or found.dtype != np.uint16:
        raise InputError(f"the {form} picture of 16 bits is damaged or cut short", _MEND)
    return cv2.cvtColor(found, cv2.COLOR_BGR2RGB) if found.ndim == 3 else found[:, :, None]


def _is_deep(data: bytes, form: str, mode: str) -> bool:
    """Whether each channel has 16 bits."""
    if form == "PNG":
        return len(data) > 24 and data[24] == 16
    return mode.startswith("I;16")


def _is_turned(data: bytes, form: str) -> bool:
    """Whether there may be a note on how the picture was held."""
    return _EXIF in data[:65_536] if form == "JPEG" else b"eXIf" in data


def _is_whole(data: bytes) -> bool:
    """Whether the picture's end is there: behind the beginning of its pixels, not that of a small copy in its head."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker, length = data[place + 1], struct.unpack(">H", data[place + 2 : place + 4])[0]
        place += 2 + length
        if marker == 0xDA:
            break
    return data.rfind(_END) >= place


def _converted(pixels: Pixels, channels: int) -> Pixels:
    """Color becomes gray as the operator `grayscale` makes it, gray becomes color by repetition."""
    import cv2

    if pixels.shape[2] == channels:
        return pixels
    if channels == 1:
        return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[:, :, None]
    return np.repeat(pixels, channels, axis=2)
