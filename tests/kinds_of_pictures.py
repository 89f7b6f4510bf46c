"""One picture in all the kinds of files that people have."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

LOSSY = ("jpg", "jpeg", "mpo", "avif", "heic")
_ORIENTATION, _TURNS = 0x0112, (2, 3, 4, 5, 6, 7, 8)
_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def drawn() -> Image.Image:
    """40 x 32, in color, the same in no other orientation."""
    image = Image.new("RGB", (40, 32), (17, 34, 68))
    pen = ImageDraw.Draw(image)
    pen.rectangle([4, 4, 15, 27], fill=(238, 204, 51))
    pen.rectangle([16, 20, 35, 27], fill=(255, 255, 255))
    pen.rectangle([24, 4, 30, 10], fill=(187, 34, 17))
    return image


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def interlaced(image: Image.Image) -> bytes:
    """Adam7, which Pillow does not write."""
    pixels, rows = np.asarray(image), b""
    for x, y, across, down in (
        *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)),
        (0, 1, 1, 2),
    ):
        part = pixels[y::down, x::across]
        if part.size:
            rows += b"".join(b"\0" + row.tobytes() for row in part)
    head = struct.pack(">IIBBBBB", image.width, image.height, 8, 2, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def opencv(form: str, pixels: NDArray[Any]) -> bytes:
    order = {3: [2, 1, 0], 4: [2, 1, 0, 3]}
    data: bytes = cv2.imencode(form, pixels if pixels.ndim == 2 else pixels[:, :, order[pixels.shape[2]]])[1].tobytes()
    return data


def with_sbit(png: bytes, bits: int, channels: int) -> bytes:
    return png[:33] + chunk(b"sBIT", bytes([bits] * channels)) + png[33:]


def kinds() -> dict[str, bytes]:
    """By the names of files: about 75."""
    image = drawn()
    gray, alpha = image.convert("L"), image.copy()
    alpha.putalpha(Image.eval(gray, lambda level: 255 if level > 60 else 0))
    half = image.copy()
    half.putalpha(Image.linear_gradient("L").resize(image.size))
    return {
        **_plain(image, gray, alpha, half),
        **_turned(image),
        **_deep(np.asarray(image), np.asarray(gray)),
        **_moving(image, gray),
        **_odd(image, gray),
    }


def _plain(image: Image.Image, gray: Image.Image, alpha: Image.Image, half: Image.Image) -> dict[str, bytes]:
    palette = image.quantize(8)
    return {
        "plain.png": encoded(image, "PNG"),
        "gray.png": encoded(gray, "PNG"),
        "palette.png": encoded(palette, "PNG"),
        "palette-8.png": encoded(image.quantize(200), "PNG"),
        "palette-clear.png": encoded(palette, "PNG", transparency=palette.getpixel((0, 0))),
        "color-clear.png": encoded(image, "PNG", transparency=(17, 34, 68)),
        "gray-clear.png": encoded(gray, "PNG", transparency=gray.getpixel((0, 0))),
        "bilevel.png": encoded(gray.convert("1"), "PNG"),
        "two-bits.png": encoded(image.quantize(4), "PNG"),
        "clear.png": encoded(alpha, "PNG"),
        "half-clear.png": encoded(half, "PNG"),
        "gray-alpha.png": encoded(alpha.convert("LA"), "PNG"),
        "interlaced.png": interlaced(image),
        "plain.jpg": encoded(image, "JPEG"),
        "full-color.jpg": encoded(image, "JPEG", subsampling=0, quality=95),
        "gray.jpg": encoded(gray, "JPEG"),
        "progressive.jpg": encoded(image, "JPEG", progressive=True),
        "cmyk.jpg": encoded(image.convert("CMYK"), "JPEG"),
        "plain.webp": encoded(image, "WEBP", lossless=True),
        "clear.webp": encoded(alpha, "WEBP", lossless=True, exact=True),
        "plain.bmp": encoded(image, "BMP"),
        "gray.bmp": encoded(gray, "BMP"),
        "palette.bmp": encoded(palette, "BMP"),
        "bilevel.bmp": encoded(gray.convert("1"), "BMP"),
        "palette.gif": encoded(palette, "GIF"),
        "clear.gif": encoded(palette, "GIF", transparency=palette.getpixel((0, 0))),
        "plain.avif": encoded(image, "AVIF", quality=95, subsampling="4:4:4"),
        "plain.tif": encoded(image, "TIFF"),
        "lzw.tif": encoded(image, "TIFF", compression="tiff_lzw"),
        "jpeg.tif": encoded(image, "TIFF", compression="jpeg"),
        "cmyk.tif": encoded(image.convert("CMYK"), "TIFF"),
        "ycbcr.tif": encoded(image.convert("YCbCr"), "TIFF"),
        "palette.tif": encoded(palette, "TIFF"),
        "clear.tif": encoded(alpha, "TIFF"),
        "bilevel.tif": encoded(gray.convert("1"), "TIFF"),
        "fax3.tif": encoded(gray.convert("1"), "TIFF", compression="group3"),
        "fax4.tif": encoded(gray.convert("1"), "TIFF", compression="group4"),
        "white-is-zero.tif": encoded(gray, "TIFF", tiffinfo={262: 0}),
        "plain.ppm": encoded(image, "PPM"),
        "gray.pgm": encoded(gray, "PPM"),
        "bilevel.pbm": encoded(gray.convert("1"), "PPM"),
        "words.pgm": b"P2\n# by hand\n3 2\n15\n0 8 15\n15 0 8\n",
    }


def _turned(image: Image.Image) -> dict[str, bytes]:
    """As cameras write them: the pixels lie, and a note says how."""
    found = {}
    for turn in _TURNS:
        exif = Image.Exif()
        exif[_ORIENTATION] = turn
        lying = image.transpose(_BACK[turn])
        found[f"turned-{turn}.jpg"] = encoded(lying, "JPEG", exif=exif, quality=95, subsampling=0)
        if turn in (3, 5, 6, 8):
            found[f"turned-{turn}.png"] = encoded(lying, "PNG", exif=exif)
            found[f"turned-{turn}.webp"] = encoded(lying, "WEBP", lossless=True, exif=exif)
            found[f"turned-{turn}.tif"] = encoded(lying, "TIFF", exif=exif)
        if turn == 6:
            found["turned-6.avif"] = encoded(lying, "AVIF", exif=exif, quality=95, subsampling="4:4:4")
    return found


def _deep(color: NDArray[np.uint8], gray: NDArray[np.uint8]) -> dict[str, bytes]:
    """16 bits, and 12 in 16, of which some say so."""
    alpha = np.dstack([color, np.full(gray.shape, 255, np.uint8)])
    wide, narrow = gray.astype(np.uint16), gray.astype(np.uint16) << 4
    white_is_zero = Image.fromarray(65_535 - wide * 257)
    stacked: dict[str, bytes] = {
        "gray-16.png": opencv(".png", wide * 257),
        "gray-16.tif": opencv(".tif", wide * 257),
        "color-16.png": opencv(".png", color.astype(np.uint16) * 257),
        "color-16.tif": opencv(".tif", color.astype(np.uint16) * 257),
        "alpha-16.png": opencv(".png", alpha.astype(np.uint16) * 257),
        "gray-12.png": opencv(".png", narrow),
        "gray-12.tif": opencv(".tif", narrow),
        "color-12.png": opencv(".png", color.astype(np.uint16) << 4),
        "gray-14.png": opencv(".png", wide << 6),
        "gray-12-said.png": with_sbit(opencv(".png", narrow), 12, 1),
        "color-12-said.png": with_sbit(opencv(".png", color.astype(np.uint16) << 4), 12, 3),
        "gray-12-said.tif": encoded(Image.fromarray(narrow), "TIFF", tiffinfo={341: 4095}),
        "white-is-zero-16.tif": encoded(white_is_zero, "TIFF", tiffinfo={262: 0}),
        "gray-12.pgm": b"P5 %d %d 4095\n" % gray.shape[::-1] + narrow.astype(">u2").tobytes(),
        "float.tif": opencv(".tif", gray.astype(np.float32) / 255),
    }
    return stacked


def _moving(image: Image.Image, gray: Image.Image) -> dict[str, bytes]:
    """The first picture is the one."""
    others = [image.rotate(180)]
    options: dict[str, Any] = {"save_all": True, "append_images": others, "duration": 100}
    return {
        "moving.gif": encoded(image.quantize(8), "GIF", **options),
        "moving.webp": encoded(image, "WEBP", lossless=True, **options),
        "moving.png": encoded(image, "PNG", **options),
        "pages.tif": encoded(gray, "TIFF", save_all=True, append_images=[gray.rotate(180)]),
        "phone.mpo": encoded(image, "MPO", save_all=True, append_images=others),
    }


def _odd(image: Image.Image, gray: Image.Image) -> dict[str, bytes]:
    jpeg = encoded(image, "JPEG", progressive=True)
    png = encoded(image, "PNG")
    return {
        "jpeg-inside.png": encoded(image, "JPEG"),
        "webp-inside.jpg": encoded(image, "WEBP", lossless=True),
        "tail.jpg": jpeg + b"MotionPhoto_Data" + bytes(500),
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "cut.png": png[: len(png) * 2 // 3],
        "empty.png": b"",
        "page.jpg": b"<!DOCTYPE html><title>404</title>",
        "pointer.png": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "one.png": encoded(Image.new("L", (1, 1), 7), "PNG"),
        "wide.png": encoded(gray.resize((400, 2)), "PNG"),
    }
