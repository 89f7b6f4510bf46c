"""Reads pictures as the server does: by its own decoder where Pillow is installed, else PNG and PNM by numpy alone."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_PIXELS = 48 * 2**20
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
Array = NDArray[Any]


class Refused(Exception):
    """What was given cannot be used; the text says why, and what can."""


def fit(pixels: Array, height: int, width: int, channels: int) -> Array:
    """Alpha on white, gray by ITU-R 601 luma, bilinear with antialiasing to the model's size."""
    if pixels.shape[2] in (2, 4):
        alpha = pixels[:, :, -1:].astype(np.uint16)
        pixels = ((pixels[:, :, :-1] * alpha + (255 - alpha) * 255 + 127) // 255).astype(np.uint8)
    if pixels.shape[2] == 3 and (pixels == pixels[:, :, :1]).all():
        pixels = pixels[:, :, :1]
    try:
        from glassworks.data.decoder import fit_picture
    except ImportError:
        return _fitted(pixels, height, width, channels)
    return fit_picture(np.ascontiguousarray(pixels), height, width, channels)


def _fitted(pixels: Array, height: int, width: int, channels: int) -> Array:
    if pixels.shape[2] == 3 and channels == 1:
        luma = pixels.astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32)
        pixels = ((luma + 0x8000) >> 16).astype(np.uint8)[:, :, None]
    if pixels.shape[1] != width:
        pixels = resized(pixels.transpose(1, 0, 2), width).transpose(1, 0, 2)
    if pixels.shape[0] != height:
        pixels = resized(pixels, height)
    return np.repeat(pixels, 3, axis=2) if channels == 3 and pixels.shape[2] == 1 else pixels


def resized(pixels: Array, size: int) -> Array:
    """The first axis at another size: a triangle as wide as the step, rounded to uint8."""
    count = pixels.shape[0]
    scale = count / size
    support = max(scale, 1.0)
    centers = (np.arange(size) + 0.5) * scale
    distance = (np.arange(count)[None] + 0.5 - centers[:, None]) / support
    weights = np.maximum(0, 1 - np.abs(distance))
    weights /= weights.sum(axis=1, keepdims=True)
    found = np.tensordot(weights, pixels.astype(np.float64), axes=1)
    return np.clip(np.floor(found + 0.5), 0, 255).astype(np.uint8)


def read_picture(path: Path, bits: int = 0) -> Array:
    """A picture file as uint8 H W C, upright; `bits` are those that the model's pictures of 16 bits use.

    Where Pillow is installed the server's own decoder reads it, else what is below: the same pixels, or none.
    Raises Refused.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Refused(f"cannot read {path}: {error.strerror}") from None
    if content.startswith(b"\x93NUMPY"):
        return _npy(path)
    try:
        from glassworks.data.decoder import Undecodable, decode
    except ImportError:
        return _plain(path, content, bits)
    try:
        return decode(content, bits=bits)
    except Undecodable as error:
        raise Refused(f"{path}: {error}") from None


def _plain(path: Path, content: bytes, bits: int) -> Array:
    if content[:2] in (b"P5", b"P6"):
        return _pnm(content)
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png(content, bits)
    raise Refused(f"{path} is no PNG, PGM, PPM or .npy file; for other pictures: pip install pillow")


def _npy(path: Path) -> Array:
    try:
        # Mapped, a header that promises more than the file holds is an error and not memory.
        pixels = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError):
        raise Refused(f"{path} is damaged, cut short, or holds objects; give an array of uint8") from None
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
        raise Refused(f"{path} holds {pixels.dtype} {pixels.shape}; give uint8, H W or H W C")
    return _whole(pixels if pixels.ndim == 3 else pixels[:, :, None])


def _pnm(content: bytes) -> Array:
    head = re.match(rb"P([56])\s+(\d{1,9})\s+(\d{1,9})\s+255\s", content)
    if not head:
        raise Refused("the PGM or PPM file has not 8 bits, or notes in its head; for others: pip install pillow")
    channels, width, height = 1 if head[1] == b"5" else 3, int(head[2]), int(head[3])
    _check(width, height)
    if len(content) - head.end() < width * height * channels:
        raise Refused("the PGM or PPM file is cut short")
    pixels = np.frombuffer(content, np.uint8, width * height * channels, head.end())
    return pixels.reshape(height, width, channels)


def _png(content: bytes, given_bits: int) -> Array:
    try:
        chunks = _chunks(content)
        width, height, bits, kind, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
        _check(width, height)
        unusual = kind not in _CHANNELS or (bits != 8 and (bits != 16 or kind == 3))
        if interlaced or unusual or chunks[b"sBIT"] or (chunks[b"tRNS"] and kind != 3):
            raise Refused("this PNG is interlaced, has fewer than 8 bits or a transparent color; pip install pillow")
        channels = _CHANNELS[kind]
        line = width * channels * bits // 8
        # No more is unpacked than the head promises.
        raw = zlib.decompressobj().decompress(chunks[b"IDAT"], (line + 1) * height)
        rows = _unfiltered(np.frombuffer(raw, np.uint8).reshape(height, line + 1), channels * bits // 8)
    except (ValueError, struct.error, zlib.error):
        raise Refused("the PNG file is damaged or cut short") from None
    pixels = (_of_16_bits(rows, given_bits) if bits == 16 else rows).reshape(height, width, channels)
    pixels = pixels if kind != 3 else _colored(pixels[:, :, 0], chunks[b"PLTE"], chunks[b"tRNS"])
    return _upright(pixels, chunks[b"eXIf"])


def _of_16_bits(rows: Array, bits: int) -> Array:
    """The 8 highest of those that are used; who does not know how many needs pixels that are bright enough."""
    if bits in (0, 16) and (rows[:, ::2].max() >= 64 or bits or not rows.any()):
        return rows[:, ::2]
    raise Refused("this PNG uses fewer than 16 bits, or the model's pictures do; pip install pillow")


def _upright(pixels: Array, exif: bytes) -> Array:
    """Turned as EXIF's tag 0x0112 says."""
    for mark, at in ((b"\x01\x12\0\x03\0\0\0\x01\0", 9), (b"\x12\x01\x03\0\x01\0\0\0", 8)):
        if mark in exif:
            turn = exif[exif.index(mark) + at]
            pixels = pixels.transpose(1, 0, 2) if 5 <= turn <= 8 else pixels
            pixels = pixels[:, ::-1] if turn in (2, 3, 6, 7) else pixels
            return pixels[::-1] if turn in (3, 4, 7, 8) else pixels
    return pixels


def _chunks(content: bytes) -> dict[bytes, bytes]:
    position, found = 8, dict.fromkeys((b"IHDR", b"IDAT", b"PLTE", b"tRNS", b"sBIT", b"eXIf"), b"")
    while position + 8 <= len(content):
        length, name = struct.unpack(">I4s", content[position : position + 8])
        if name in found:
            found[name] += content[position + 8 : position + 8 + length]
        position += length + 12
    return found


def _unfiltered(rows: Array, step: int) -> Array:
    """Lines of a PNG (H 1 + L) without their filters (PNG specification, section 9)."""
    found = np.zeros((len(rows) + 1, rows.shape[1] - 1 + step), np.uint8)  # a line above, a pixel to the left
    for number, row in enumerate(rows, 1):
        line, above, kind = found[number], found[number - 1], int(row[0])
        if kind in (0, 2):
            line[step:] = row[1:] + (above[step:] if kind == 2 else 0)
            continue
        if kind not in (1, 3, 4):
            raise ValueError("an unknown filter")
        given, upper, done = row[1:].tolist(), above.tolist(), [0] * step
        for position, value in enumerate(given):
            done.append((value + _guess(kind, done[position], upper[position + step], upper[position])) & 255)
        line[:] = done
    return found[1:, step:]


def _guess(kind: int, left: int, up: int, corner: int) -> int:
    if kind == 1:
        return left
    if kind == 3:
        return (left + up) // 2
    most = left + up - corner
    distances = (abs(most - left), abs(most - up), abs(most - corner))
    return (left, up, corner)[distances.index(min(distances))]


def _colored(indices: Array, palette: bytes, transparent: bytes) -> Array:
    colors = np.frombuffer(palette, np.uint8).reshape(-1, 3)
    if int(indices.max()) >= len(colors):
        raise Refused("the PNG file is damaged: it has a color that its palette lacks")
    if not transparent:
        return colors[indices]
    alpha = np.full((len(colors), 1), 255, np.uint8)
    alpha[: len(transparent), 0] = np.frombuffer(transparent, np.uint8)
    return np.concatenate([colors, alpha], axis=1)[indices]


def _check(width: int, height: int) -> None:
    if not 0 < width * height <= MAX_PIXELS:
        raise Refused(f"the picture has {width} x {height} pixels; 1 to {MAX_PIXELS:,} are read")


def _whole(pixels: Array) -> Array:
    _check(pixels.shape[1], pixels.shape[0])
    if pixels.shape[2] not in (1, 2, 3, 4):
        raise Refused(f"the picture has {pixels.shape[2]} channels; give 1 to 4")
    return pixels
