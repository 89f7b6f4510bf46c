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

MAX_PIXELS = 48 * 2**20
"""8192 x 6144, what phones with 50 megapixels write; larger pictures are refused before they are decoded.

The largest takes some seconds of one core and up to 1 GB (WebP; others half of that) while it is decoded.
"""
_STRIP = 2**20
"""Pixels that are converted at a time: what lies between the decoder's picture and ours stays small."""
_MAX_SCANS = 64
"""Of a JPEG: each goes over the whole picture, however few bytes it takes. Ten is usual."""

# Only these decoders run on what strangers send; Pillow knows others, of which some start programs.
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
_READABLE = "PNG, JPEG, WebP, BMP, GIF or TIFF"
# What Pillow's decoders raise on damaged files; none of these says anything about this program.
_DECODER_FAULTS = (
    *(OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error),
    *(KeyError, IndexError, TypeError, AttributeError, OverflowError, ZeroDivisionError),
)
_PNG = b"\x89PNG\r\n\x1a\n"
_PACKED = (b"iCCP", b"zTXt", b"iTXt")
"""Chunks of a PNG that Pillow unpacks, to a megabyte each."""
_FEW_CHUNKS = 16
_SCAN = b"\xff\xda"
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
    with open_picture(data, max_pixels) as image:
        try:
            return _composed(_upright(image), max_pixels)
        except _DECODER_FAULTS as error:
            raise _damaged(f"{image.format} picture", error) from None


def decode_deep_gray(data: bytes, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint16]:
    """A picture whose mode is 16 bits of gray as uint16 H W 1, upright. Raises InputError as `decode_picture` does."""
    with open_picture(data, max_pixels) as image:
        try:
            return np.asarray(_upright(image)).astype(np.uint16)[:, :, None]
        except _DECODER_FAULTS as error:
            raise _damaged(f"{image.format} picture of 16 bits", error) from None


def picture_size(data: bytes, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Width and height, from the head of a picture file. Raises InputError as `decode_picture` does."""
    with open_picture(data, max_pixels) as image:
        return image.size


def is_tiny_png(data: bytes, max_pixels: int) -> bool:
    """Whether it takes next to no time to decode: a whole PNG of few pixels and few parts, with nothing else packed."""
    if len(data) < 33 or data[:8] != _PNG or data[12:16] != b"IHDR":
        return False
    width, height = struct.unpack(">II", data[16:24])
    if not 0 < width * height <= max_pixels:
        return False
    offset = 33
    for _ in range(_FEW_CHUNKS):
        kind = data[offset + 4 : offset + 8]
        if kind == b"IEND":
            return True
        if kind in _PACKED or not kind:
            return False
        offset += 12 + int.from_bytes(data[offset : offset + 4], "big")
    return False


def open_picture(data: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """A picture file whose head was read: its `format`, `mode` and `size` are known, nothing is decoded.

    Raises InputError when `data` is no picture, or when it takes too much to decode.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError:
        raise InputError(
            f"the {len(data):,} bytes given are not a picture (they begin with {data[:8]!r})",
            f"give a whole {_READABLE} file of at least 1 x 1 pixel",
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large("too many", max_pixels) from None
    except _DECODER_FAULTS as error:
        raise _damaged("picture", error) from None
    width, height = image.size
    if width * height > max_pixels:
        raise too_many_pixels(width, height, max_pixels)
    if image.format in ("JPEG", "MPO") and data.count(_SCAN) > _MAX_SCANS:
        raise InputError(
            f"the JPEG picture has {data.count(_SCAN):,} scans; at most {_MAX_SCANS} are read",
            "write it again, with the usual settings of any program",
        )
    return image


def too_many_pixels(width: int, height: int, max_pixels: int) -> InputError:
    """The error for a picture that is too large to be decoded."""
    return _too_large(f"{width:,} x {height:,} = {width * height:,}", max_pixels)


def thumbnail_of_file(data: bytes, side: int = 256, max_pixels: int = MAX_PIXELS) -> bytes:
    """A picture file as a small PNG; of a JPEG no more is decoded than that takes. Raises as `decode_picture`."""
    with open_picture(data, max_pixels) as image:
        image.draft(None, (2 * side, 2 * side))
        try:
            return thumbnail_of(_composed(_upright(image), max_pixels), side)
        except _DECODER_FAULTS as error:
            raise _damaged(f"{image.format} picture", error) from None


def thumbnail_of(picture: Picture, side: int = 256) -> bytes:
    """At most `side` x `side` pixels as a PNG; proportions stay, and what is smaller stays as it is."""
    image, written = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture), io.BytesIO()
    image.thumbnail((side, side), Image.Resampling.BILINEAR)
    image.save(written, "PNG")
    return written.getvalue()


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


def _composed(image: Image.Image, max_pixels: int) -> Picture:
    """The pixels in strips of rows. It is gray until a strip is not."""
    width, height = image.size
    if width * height > max_pixels:  # a decoder may find another size than the head says
        raise too_many_pixels(width, height, max_pixels)
    rows = max(1, _STRIP // width)
    if rows >= height:
        return as_picture(_pixels(image))
    whole = np.empty((height, width, 1), np.uint8)
    for top in range(0, height, rows):
        strip = as_picture(_pixels(image.crop((0, top, width, min(top + rows, height)))))
        if strip.shape[2] > whole.shape[2]:
            before, whole = whole, np.empty((height, width, 3), np.uint8)
            whole[:top] = before[:top]
        whole[top : top + rows] = strip
    return whole


def eight_bits(deep: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """16 bits, H W ..., scaled to 8."""
    found, rows = np.empty(deep.shape, np.uint8), max(1, _STRIP // max(1, deep[:1].size))
    for top in range(0, len(deep), rows):
        found[top : top + rows] = (deep[top : top + rows].astype(np.uint32) * 255 + 32_767) // 65_535
    return found


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    """uint8 H W or H W C, with alpha where the picture has it. Raises ValueError for unbounded pixel types."""
    if image.mode.startswith("I;16"):
        return eight_bits(np.asarray(image))
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
