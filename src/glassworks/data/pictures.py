"""One picture: from the bytes people send to uint8 pixels, and from any size to the size a model expects.

Training and serving both come through here, so that a served picture is prepared exactly as a learned one; the rules
themselves stand in `decoder.py`.
"""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glassworks.data.bit_depth import (
    Undecodable,
    deep_pixels,
    eight_bits as eight_bits,
    is_deep,
    peak_bits,
    white_is_zero,
)
from glassworks.data.decoder import (
    FAULTS,
    MAX_PIXELS as MAX_PIXELS,
    Picture as Picture,
    as_picture as as_picture,
    composed,
    damaged,
    decode,
    fit_picture as fit_picture,
    opened,
    too_many_pixels as _too_many_pixels,
)
from glassworks.errors import InputError

_PNG = b"\x89PNG\r\n\x1a\n"
_PACKED = (b"iCCP", b"zTXt", b"iTXt")
"""Chunks of a PNG that Pillow unpacks, to a megabyte each."""
_FEW_CHUNKS = 16


def decode_picture(data: bytes, *, max_pixels: int = MAX_PIXELS, bits: int = 0) -> Picture:
    """The first frame of a picture file, upright, uint8 H W C; C is 1 when all pixels are gray, else 3.

    `bits` of 16 are used where the file does not say. Raises InputError for what `decoder.decode` refuses.
    """
    with _refused():
        return decode(data, max_pixels, bits)


def decode_deep_gray(data: bytes, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint16]:
    """A picture whose mode is 16 bits of gray as uint16 H W 1, upright. Raises InputError as `decode_picture` does."""
    with open_picture(data, max_pixels) as image, _refused():
        try:
            found = deep_pixels(data, image)
            return 65_535 - found if white_is_zero(image) else found
        except FAULTS as error:
            raise damaged(f"{image.format} picture of 16 bits", error) from None


def unsaid_bits(data: bytes) -> int:
    """Of a picture of 16 bits that does not say how many it uses, how many its highest value takes; else 0.

    Raises InputError as `decode_picture` does.
    """
    with open_picture(data) as image, _refused():
        try:
            return peak_bits(data, image) if is_deep(data, image) else 0
        except FAULTS as error:
            raise damaged(f"{image.format} picture of 16 bits", error) from None


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
    with _refused():
        return opened(data, max_pixels)


def too_many_pixels(width: int, height: int, max_pixels: int) -> InputError:
    """The error for a picture that is too large to be decoded."""
    error = _too_many_pixels(width, height, max_pixels)
    return InputError(error.problem, error.mend)


def thumbnail_of_file(data: bytes, side: int = 256, max_pixels: int = MAX_PIXELS) -> bytes:
    """A picture file as a small PNG; of a JPEG no more is decoded than that takes, of 16 bits those are shown that
    it uses. Raises as `decode_picture`."""
    with open_picture(data, max_pixels) as image:
        image.draft(None, (2 * side, 2 * side))
        with _refused():
            try:
                bits = peak_bits(data, image) if is_deep(data, image) else 0
                return thumbnail_of(composed(data, image, max_pixels, bits), side)
            except FAULTS as error:
                raise damaged(f"{image.format} picture", error) from None


def thumbnail_of(picture: Picture, side: int = 256) -> bytes:
    """At most `side` x `side` pixels as a PNG; proportions stay, and what is smaller stays as it is."""
    image, written = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture), io.BytesIO()
    image.thumbnail((side, side), Image.Resampling.BILINEAR)
    image.save(written, "PNG")
    return written.getvalue()


@contextlib.contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except Undecodable as error:
        raise InputError(error.problem, error.mend) from None
