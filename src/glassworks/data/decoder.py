"""Picture files as pixels: the one set of rules for training, serving and exported folders, which hold a copy of it.

It needs NumPy and Pillow alone, and pi-heif for HEIC. `bit_depth.py` belongs to it.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from glassworks.data.bit_depth import (
    Undecodable as Undecodable,
    deep_pixels,
    eight_bits,
    is_deep,
    upright,
    used_bits,
    white_is_zero,
)

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
_FORMATS = ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF"]
READABLE = "PNG, JPEG, WebP, BMP, GIF, TIFF, HEIC, AVIF, PGM or PPM"
# What Pillow's decoders raise on damaged files; none of these says anything about this program.
FAULTS = (
    *(OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, RuntimeError),
    *(KeyError, IndexError, TypeError, AttributeError, OverflowError, ZeroDivisionError),
)
_PNG = b"\x89PNG\r\n\x1a\n"
HEIF_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})
_SCAN = b"\xff\xda"


def decode(data: bytes, max_pixels: int = MAX_PIXELS, bits: int = 0) -> Picture:
    """The first frame of a picture file, upright, uint8 H W C; C is 1 when all pixels are gray, else 3.

    Of 16 bits a channel the 8 highest of those that are used are kept: `bits`, where the file itself does not say
    how many. Transparency is laid on white, CMYK becomes RGB. Raises Undecodable for no picture, a damaged one, one of
    more than `max_pixels` pixels, and for 16 bits of which nobody says how many are used and few seem to be.
    """
    with opened(data, max_pixels) as image:
        try:
            return composed(data, image, max_pixels, bits)
        except FAULTS as error:
            raise damaged(f"{image.format} picture", error) from None


def opened(data: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """A picture file whose head was read: its `format`, `mode` and `size` are known, nothing is decoded.

    Raises Undecodable when `data` is no picture, or when it takes too much to decode.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=[*_known(), *_heif(data)])
    except UnidentifiedImageError:
        raise Undecodable(
            f"the {len(data):,} bytes given are not a picture (they begin with {data[:8]!r})",
            f"give a whole {READABLE} file of at least 1 x 1 pixel",
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large("too many", max_pixels) from None
    except FAULTS as error:
        raise damaged("picture", error) from None
    width, height = image.size
    if width * height > max_pixels:
        raise too_many_pixels(width, height, max_pixels)
    if image.format in ("JPEG", "MPO") and data.count(_SCAN) > _MAX_SCANS:
        raise Undecodable(
            f"the JPEG picture has {data.count(_SCAN):,} scans; at most {_MAX_SCANS} are read",
            "write it again, with the usual settings of any program",
        )
    return image


def _known() -> list[str]:
    """The formats that this Pillow has; AVIF came late."""
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def brands(head: bytes) -> set[bytes]:
    """What the head of a file of ISO's container says it holds (ISO/IEC 14496-12, `ftyp`); empty for other files."""
    if head[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(head[:4], "big"), len(head), 128)
    return {head[at : at + 4] for at in (8, *range(16, end, 4))}


def _heif(data: bytes) -> list[str]:
    """The name of Pillow's plugin for HEIC, where the file is one. Raises Undecodable without the library."""
    found = brands(data)
    if found & AVIF_BRANDS or not found & HEIF_BRANDS:
        return []
    try:
        import pi_heif
    except ImportError:
        raise Undecodable("the picture is HEIC, which needs another library", "pip install pi-heif") from None
    if "HEIF" not in Image.OPEN:
        pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    return ["HEIF"]


def composed(data: bytes, image: Image.Image, max_pixels: int, bits: int = 0) -> Picture:
    """The pixels of an opened file, in strips of rows. It is gray until a strip is not. Raises Undecodable, FAULTS."""
    used = used_bits(data, image, bits) if is_deep(data, image) else 16
    deep = deep_pixels(data, image, used) if used < 16 else None
    turned = upright(image)
    width, height = turned.size
    if width * height > max_pixels:  # a decoder may find another size than the head says
        raise too_many_pixels(width, height, max_pixels)
    whole, rows = np.empty((height, width, 1), np.uint8), max(1, _STRIP // width)
    for top in range(0, height, rows):
        end = min(top + rows, height)
        if deep is not None:
            found = eight_bits(deep[top:end], used)
        else:
            found = _pixels(turned if rows >= height else turned.crop((0, top, width, end)))
        if image.mode.startswith("I;16") and white_is_zero(image):
            found = 255 - found
        strip = as_picture(found)
        if strip.shape[2] > whole.shape[2]:
            before, whole = whole, np.empty((height, width, 3), np.uint8)
            whole[:top] = before[:top]
        whole[top:end] = strip
    return whole


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    """uint8 H W or H W C, with alpha where the picture has it. Raises ValueError for unbounded pixel types."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return eight_bits(np.asarray(image).astype(np.uint16))
    if image.mode in ("I", "F"):
        raise ValueError("its pixels are 32-bit numbers, which have no agreed white; 8 or 16 bits are read")
    if image.has_transparency_data:
        return np.asarray(image.convert("LA" if image.mode in ("LA", "La") else "RGBA"))
    return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))


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


def too_many_pixels(width: int, height: int, max_pixels: int) -> Undecodable:
    """The error for a picture that is too large to be decoded."""
    return _too_large(f"{width:,} x {height:,} = {width * height:,}", max_pixels)


def _too_large(given: str, max_pixels: int) -> Undecodable:
    return Undecodable(
        f"the picture has {given} pixels; at most {max_pixels:,} are allowed",
        "scale the picture down and give it again",
    )


def damaged(what: str, error: BaseException) -> Undecodable:
    """The error for what a decoder raised."""
    reason = str(error) or type(error).__name__
    return Undecodable(f"the {what} is damaged or cut short: {reason[:160]}", f"give a whole {READABLE} file")
