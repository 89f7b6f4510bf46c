"""One picture: from the bytes people send to uint8 pixels, and from any size to the size a model expects.

Training and serving both come through here, so that a served picture is prepared exactly as a learned one.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from glassworks.errors import InputError

Picture: TypeAlias = NDArray[np.uint8]
"""H W C with C of 1 (gray) or 3 (RGB)."""

MAX_PIXELS = 64 * 2**20
"""Larger pictures are refused before they are decoded."""

# Only these decoders run on what strangers send; Pillow knows others, of which some start programs.
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
_READABLE = "PNG, JPEG, WebP, BMP, GIF or TIFF"
# What Pillow's decoders raise on damaged files; none of these says anything about this program.
_DECODER_FAULTS = (
    *(OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error),
    *(KeyError, IndexError, TypeError, AttributeError, OverflowError, ZeroDivisionError),
)
_ORIENTATION = 0x0112
# EXIF 2.3, tag Orientation: how the stored pixels become upright ones.
_UPRIGHT: Mapping[int, Image.Transpose] = MappingProxyType(
    {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
)


def decode_picture(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """The first frame of a picture file, upright, uint8 H W C; C is 1 when all pixels are gray, else 3.

    16-bit gray is scaled to 8 bits, transparency is laid on white, CMYK becomes RGB.
    Raises InputError when `data` is no picture, is damaged, or holds more than `max_pixels` pixels.
    """
    with open_picture(data) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise too_many_pixels(width, height, max_pixels)
        try:
            return as_picture(_pixels(_upright(image)))
        except _DECODER_FAULTS as error:
            raise _damaged(f"{image.format} picture", error) from None


def open_picture(data: bytes) -> Image.Image:
    """A picture file whose head was read: its `format`, `mode` and `size` are known, nothing is decoded.

    Raises InputError when `data` is no picture, or when its size alone is an attack.
    """
    try:
        return Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError:
        raise InputError(
            f"the {len(data):,} bytes given are not a picture (they begin with {data[:8]!r})",
            f"give a whole {_READABLE} file of at least 1 x 1 pixel",
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large("too many", MAX_PIXELS) from None
    except _DECODER_FAULTS as error:
        raise _damaged("picture", error) from None


def too_many_pixels(width: int, height: int, max_pixels: int) -> InputError:
    """The error for a picture that is too large to be decoded."""
    return _too_large(f"{width:,} x {height:,} = {width * height:,}", max_pixels)


def as_picture(pixels: NDArray[np.uint8]) -> Picture:
    """uint8 H W or H W C (1 gray, 2 gray and alpha, 3 RGB, 4 RGBA) as a picture.

    Transparent pixels are laid on white, as paper and web pages show them.
    """
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.shape[2] in (2, 4):
        alpha = pixels[:, :, -1:].astype(np.uint16)
        pixels = ((pixels[:, :, :-1] * alpha + (255 - alpha) * 255 + 127) // 255).astype(np.uint8)
    if pixels.shape[2] == 3 and (pixels == pixels[:, :, :1]).all():
        pixels = pixels[:, :, :1]
    return np.ascontiguousarray(pixels)


def fit_picture(picture: Picture, height: int, width: int, channels: int) -> Picture:
    """The picture as uint8 `height` x `width` x `channels`; unchanged when it already is.

    Color becomes gray by ITU-R 601 luma, gray becomes color by repetition. Resizing is bilinear with
    antialiasing and fills the whole area: nothing is cut off, proportions may change.
    """
    if picture.shape[2] == 3 and channels == 1:
        picture = np.asarray(Image.fromarray(picture).convert("L"))[:, :, None]
    if picture.shape[:2] != (height, width):
        flat = picture[:, :, 0] if picture.shape[2] == 1 else picture
        resized = Image.fromarray(flat).resize((width, height), Image.Resampling.BILINEAR)
        picture = np.asarray(resized).reshape(height, width, -1)
    if picture.shape[2] == 1 and channels == 3:
        picture = np.repeat(picture, 3, axis=2)
    return np.ascontiguousarray(picture)


def _upright(image: Image.Image) -> Image.Image:
    image.load()
    turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    return image if turn is None else image.transpose(turn)


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    """uint8 H W or H W C, with alpha where the picture has it. Raises ValueError for unbounded pixel types."""
    if image.mode.startswith("I;16"):
        return ((np.asarray(image).astype(np.uint32) * 255 + 32_767) // 65_535).astype(np.uint8)
    if image.mode in ("I", "F"):
        raise ValueError("its pixels are 32-bit numbers, which have no agreed white; 8 or 16 bits are read")
    if image.has_transparency_data:
        return np.asarray(image.convert("LA" if image.mode in ("LA", "La") else "RGBA"))
    return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))


def _too_large(given: str, max_pixels: int) -> InputError:
    return InputError(
        f"the picture has {given} pixels; at most {max_pixels:,} are allowed",
        "scale the picture down and give it again",
    )


def _damaged(what: str, error: BaseException) -> InputError:
    reason = str(error) or type(error).__name__
    return InputError(f"the {what} is damaged or cut short: {reason}", f"give a whole {_READABLE} file")
