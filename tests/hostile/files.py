"""Attacks by files that are small on the way and large in memory."""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib

from tests.hostile.place import Place, answer


def png(width: int, height: int, kind: int = 0) -> bytes:
    """A valid PNG, all of one value; `kind` 0 is gray, 6 color with alpha."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + name + content + zlib.crc32(name + content).to_bytes(4, "big")

    squeezed, row = zlib.compressobj(9), b"\0" + bytes(width * (4 if kind == 6 else 1))
    pixels = b"".join(squeezed.compress(row) for _ in range(height)) + squeezed.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _webp() -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (8191, 8191)).save(file, "WEBP", lossless=True, quality=0, method=0)
    return file.getvalue()


def _infer(place: Place, files: list[bytes], seconds: float) -> None:
    data = [base64.b64encode(each).decode() for each in files]
    tensor = {"name": place.source, "datatype": "BYTES", "shape": [len(files)], "data": data}
    with place.connect() as client:
        answer(client, place.post("infer", json.dumps({"inputs": [tensor]}).encode()), seconds)


def attack_tiny_webp(place: Place, seconds: float) -> None:
    """Some dozen bytes with 67 million pixels, eight in a request."""
    _infer(place, [_webp()] * 8, seconds)


def attack_large_png(place: Place, seconds: float) -> None:
    _infer(place, [png(8190, 8190, 6)] * 2, seconds)


def attack_tall_pictures(place: Place, seconds: float) -> None:
    for width, height in ((28, 200_000), (200_000, 1), (1, 1_000_000)):
        with place.connect() as client:
            answer(client, place.post("picture", png(width, height), "accept: image/jpeg"), seconds)


def attack_many_small_files(place: Place, seconds: float) -> None:
    _infer(place, [png(28, 28)] * 20_000, seconds)


def attack_cut_files(place: Place, seconds: float) -> None:
    whole = png(280, 280)
    _infer(place, [whole[:size] for size in range(0, len(whole), 7)], seconds)
    for size in range(0, len(whole), 29):
        _infer(place, [whole[:size]], min(1.0, seconds))
