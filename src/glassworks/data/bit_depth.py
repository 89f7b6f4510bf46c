"""Opened picture files of 16 bits a channel: how many of them are used, and which way up they are.

Exported folders hold a copy of this file beside `decoder.py`.
"""

from __future__ import annotations

import io
import sys
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_LOW = 2**14
"""16 bits that stay below a quarter of white look like 10, 12 or 14 bits in a container of 16."""
_GRAY_AND_ALPHA = 4
"""Of a PNG, the type of its colors."""
_ORIENTATION, _BITS, _PHOTOMETRIC, _MOST, _WHITE = 0x0112, 258, 262, 281, 341
"""Tags of TIFF 6.0 and EXIF 2.3; the last two are MaxSampleValue and SMaxSampleValue."""
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


class Undecodable(Exception):
    """What was given is no picture that can be read; `mend` says what can."""

    def __init__(self, problem: str, mend: str) -> None:
        super().__init__(f"{problem}\nmend: {mend}")
        self.problem, self.mend = problem, mend


def upright(image: Image.Image) -> Image.Image:
    """Loaded, and turned as its note on the orientation of the camera says."""
    image.load()
    turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    return image if turn is None else image.transpose(turn)


def is_deep(data: bytes, image: Image.Image) -> bool:
    """Whether an opened file has 16 bits a channel, of which fewer may be used."""
    if image.mode not in ("RGB", "RGBA") and not image.mode.startswith("I;16"):
        return False
    if image.format == "PNG":
        return data[24] == 16
    return image.format == "TIFF" and max(_tag(image, _BITS, 8)) > 8


def used_bits(data: bytes, image: Image.Image, bits: int = 0) -> int:
    """How many of 16 bits a channel are used: what the file says, else `bits`, else 16 where the pixels agree.

    Raises Undecodable where they do not, or reach beyond what was said. PNG: sBIT, whose pixels other programs
    have scaled already; TIFF: BitsPerSample, SMaxSampleValue and MaxSampleValue.
    """
    peak = _peak(image)
    own = _own_bits(data, image)
    if own:
        return own if own >= 8 and peak < 2**own else 16
    if bits and peak >= 2**bits:
        raise Undecodable(
            f"its 16 bits a channel reach {peak:,}, which is more than the {bits} bits that are said to be used",
            "scale all pictures alike, or say in data.bits how many bits are used",
        )
    if bits or not 0 < peak < _LOW:
        return bits or 16
    raise Undecodable(
        f"its 16 bits a channel reach no more than {peak:,} of 65,535, as {max(8, peak.bit_length())} bits in 16 do: "
        "it would look nearly black",
        "scale it to all 16 bits or to 8; or let the file say how many it uses (sBIT of PNG, SMaxSampleValue of TIFF)",
    )


def peak_bits(data: bytes, image: Image.Image) -> int:
    """How many bits, 8 at least, the highest of 16-bit values takes, where the file does not say; else 0."""
    return 0 if _own_bits(data, image) else max(8, _peak(image).bit_length())


def _own_bits(data: bytes, image: Image.Image) -> int:
    """0 where the file does not say."""
    if image.format == "PNG":
        said = max(_png_chunk(data, b"sBIT")[:4], default=0)
        return said if said <= 16 else 0
    stored = max(_tag(image, _BITS, 16))
    said = max(max(_tag(image, _WHITE, 0)), max(_tag(image, _MOST, 0))).bit_length()
    return stored if stored < 16 else said if 8 <= said < 16 else 0


def _png_chunk(data: bytes, kind: bytes) -> bytes:
    """What a chunk before the pixels holds; empty where there is none."""
    at = len(b"\x89PNG\r\n\x1a\n")
    while (name := data[at + 4 : at + 8]) and name != b"IDAT":
        size = int.from_bytes(data[at : at + 4], "big")
        if name == kind:
            return data[at + 8 : at + 8 + size]
        at += size + 12
    return b""


def _tag(image: Image.Image, tag: int, default: int) -> tuple[int, ...]:
    found: Any = getattr(image, "tag_v2", {}).get(tag, default)
    return tuple(int(each) for each in found) if isinstance(found, tuple) else (int(found),)


def white_is_zero(image: Image.Image) -> bool:
    """Whether 0 is white, as scanners and X-rays have it; Pillow turns 8 bits round by itself, 16 not."""
    return image.format == "TIFF" and _tag(image, _PHOTOMETRIC, 1) == (0,)


def _peak(image: Image.Image) -> int:
    """The highest value of 16 bits, transparency aside; of color as high as its upper 8 bits can tell."""
    image.load()
    found: Any = image.getextrema()
    if image.mode.startswith("I;16"):
        return int(found[1])
    high = max(int(most) for _, most in found[:3])
    return high << 8 | 255


def deep_pixels(data: bytes, image: Image.Image, bits: int = 16) -> NDArray[np.uint16]:
    """An opened file of 16 bits a channel of which so many are used, upright: uint16 H W C. Raises FAULTS."""
    high = np.asarray(upright(image))
    if image.mode.startswith("I;16"):
        return high.astype(np.uint16)[:, :, None]
    pair = image.format == "PNG" and data[25] == _GRAY_AND_ALPHA
    with Image.open(io.BytesIO(_as_four(data) if pair else data), formats=("PNG", "TIFF")) as other:
        if pair:
            halves = np.asarray(upright(other))
            upper, lower = halves[:, :, ::2], halves[:, :, 1::2]
        else:
            # Pillow keeps the upper 8 bits of color; in the other order of bytes it keeps the lower ones.
            other.tile = [tile._replace(args=_swapped(tile.args)) for tile in other.tile]
            upper, lower = high, np.asarray(upright(other))
    found: NDArray[np.uint16] = np.left_shift(upper, 8, dtype=np.uint16) | lower
    if found.shape[2] != 3 and found[:, :, -1].max() >> bits:  # transparency uses all 16 bits all the same
        found[:, :, -1] >>= 16 - bits
    return found


def _as_four(data: bytes) -> bytes:
    """A PNG of two channels of 16 bits as one of four of 8, which has the same bytes, filters and all."""
    head = data[16:24] + b"\x08\x06" + data[26:29]
    return data[:16] + head + zlib.crc32(b"IHDR" + head).to_bytes(4, "big") + data[33:]


def _swapped(given: Any) -> Any:
    name, *rest = given if isinstance(given, tuple) else (given,)
    mode, _, order = name.partition(";")
    native = "16L" if sys.byteorder == "little" else "16B"
    other = f"{mode};{'16B' if order.replace('16N', native) == '16L' else '16L'}"
    return (other, *rest) if isinstance(given, tuple) else other


def eight_bits(deep: NDArray[np.uint16], bits: int = 16) -> NDArray[np.uint8]:
    """The 8 highest of so many bits, 8 to 16; H W ..."""
    found = np.empty(deep.shape, np.uint8)
    np.right_shift(deep, np.uint16(bits - 8), out=found, casting="unsafe")
    return found
