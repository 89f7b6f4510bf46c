"""Picture files as operators get them: the pixels of Pillow, and every fault reported."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any, Literal

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from glassworks.data.pictures import decode_picture
from glassworks.errors import InputError
from glassworks.imaging.captions import captioned
from glassworks.imaging.files import of_8_bits, read_picture, write_jpeg, write_npy, write_png

Pixels = NDArray[Any]


def noise(*shape: int, top: int = 256) -> Pixels:
    return np.random.default_rng(0).integers(0, top, shape).astype(np.uint8 if top == 256 else np.uint16)


def file(image: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (480, 641)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF"])
def test_pixels_are_those_of_pillow(form: str, mode: str, size: tuple[int, int]) -> None:
    image = Image.fromarray(noise(*size, 3)).convert(mode)
    data = file(image, form)
    wanted = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert np.array_equal(read_picture(data, 3), wanted)


def test_color_becomes_gray_as_the_operator_makes_it() -> None:
    pixels = noise(31, 33, 3)
    assert np.array_equal(read_picture(write_png(pixels), 1)[:, :, 0], cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))


@pytest.mark.parametrize("channels", [1, 3])
def test_16_bits_stay_16_bits(channels: int) -> None:
    pixels = noise(9, 11, channels, top=65_536)
    assert np.array_equal(read_picture(write_png(pixels), channels, "uint16"), pixels)
    eight = read_picture(write_png(pixels), channels)
    assert np.array_equal(eight, (pixels >> 8).astype(np.uint8))


def test_8_bits_are_spread_over_16() -> None:
    pixels = noise(9, 11, 3)
    assert np.array_equal(read_picture(write_png(pixels), 3, "uint16"), pixels.astype(np.uint16) * 257)


def test_a_turned_photograph_is_put_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = file(Image.fromarray(noise(16, 24, 3)), "JPEG", exif=exif)
    assert read_picture(data, 3).shape == (24, 16, 3)
    assert np.array_equal(read_picture(data, 3), decode_picture(data))


def test_cmyk_becomes_rgb_as_pillow_says() -> None:
    data = file(Image.fromarray(noise(16, 24, 3)).convert("CMYK"), "JPEG")
    assert np.array_equal(read_picture(data, 3), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


def test_of_an_animated_gif_the_first_picture_is_taken() -> None:
    frames = [Image.new("RGB", (8, 6), color) for color in ("red", "blue")]
    data = file(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.array_equal(read_picture(data, 3)[0, 0], [255, 0, 0])


def test_transparency_is_laid_on_white() -> None:
    data = file(Image.new("RGBA", (4, 4), (10, 20, 30, 0)), "PNG")
    assert (read_picture(data, 3) == 255).all()


@pytest.mark.parametrize("thumbnail", [False, True], ids=["plain", "with a small copy in its head"])
@pytest.mark.parametrize("share", [0.7, 0.9, 0.999])
def test_a_jpeg_that_is_cut_short_is_refused(share: float, thumbnail: bool) -> None:
    data = file(Image.fromarray(noise(64, 64, 3)), "JPEG")
    if thumbnail:  # an application segment that holds a whole JPEG, and so the mark of an end
        small = file(Image.fromarray(noise(8, 8, 3)), "JPEG")
        data = data[:2] + b"\xff\xe5" + struct.pack(">H", len(small) + 2) + small + data[2:]
    assert read_picture(data, 3).shape == (64, 64, 3)
    with pytest.raises(InputError, match="JPEG picture is cut short: its end is missing"):
        read_picture(data[: int(len(data) * share)], 3)


@pytest.mark.parametrize("depth", ["uint8", "uint16"])
def test_a_png_that_is_cut_short_is_refused(depth: Literal["uint8", "uint16"]) -> None:
    pixels = noise(64, 64, 3, top=256 if depth == "uint8" else 65_536)
    with pytest.raises(InputError, match=r"PNG picture .*(damaged|cut short)"):
        read_picture(write_png(pixels)[:5000], 3, depth)


def png_bomb(width: int, height: int) -> bytes:
    """The head of a PNG of that size, and pixels that are never looked at."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_000, 30_000])
def test_a_bomb_is_refused_before_it_is_decoded(side: int) -> None:
    with pytest.raises(InputError, match=r"pixels; at most 50,331,648 are allowed"):
        read_picture(png_bomb(side, side), 3)


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\xff\xd8\xff"])
def test_what_is_no_picture_is_reported(data: bytes) -> None:
    with pytest.raises(InputError, match="are not a picture"):
        read_picture(data, 3)


def test_written_pictures_are_read_again() -> None:
    pixels = noise(20, 30, 1)
    assert np.array_equal(np.load(io.BytesIO(write_npy(pixels))), pixels)
    assert read_picture(write_jpeg(noise(20, 30, 3)), 3).shape == (20, 30, 3)
    shown = of_8_bits(np.array([[[-4.0], [0.0], [4.0]]], np.float32))
    assert shown.ravel().tolist() == [0, 128, 255]
    assert of_8_bits(np.full((2, 2, 1), 7.0)).ravel().tolist() == [0] * 4


@pytest.mark.parametrize("shape", [(65_501, 2, 3), (1, 65_501, 1)])
def test_a_jpeg_that_would_be_too_long_is_reported(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="cannot be written as JPEG, which holds 65,500 a side"):
        write_jpeg(np.zeros(shape, np.uint8))
    assert write_png(np.zeros(shape, np.uint8))


def test_very_long_pictures_are_read_by_pillow_and_written_by_nobody() -> None:
    long = np.zeros((1_000_001, 1, 1), np.uint8)
    assert read_picture(file(Image.fromarray(long[:, :, 0]), "PNG"), 1).shape == long.shape
    with pytest.raises(InputError, match="cannot be written as PNG, which holds 1,000,000 a side"):
        write_png(long)


def test_what_opencv_refuses_of_16_bits_is_reported() -> None:
    long = Image.fromarray(np.zeros((1_100_000, 1), np.uint16))
    with pytest.raises(InputError, match="the PNG picture of 16 bits"):
        read_picture(file(long, "PNG"), 1)
    assert read_picture(file(long, "TIFF"), 1).shape == (1_100_000, 1, 1)


@pytest.mark.parametrize("top", [256, 65_536])
def test_a_chunk_that_promises_gigabytes_is_refused_before_they_are_made(top: int) -> None:
    whole = write_png(noise(28, 28, 3, top=top))
    index = whole.index(b"IDAT") - 4
    with pytest.raises(InputError, match="it has no end"):
        read_picture(whole[:index] + b"\xd2" + whole[index + 1 :], 3)


@pytest.mark.parametrize(("height", "width"), [(60_000, 28), (200_000, 1), (1, 5000), (1, 1), (18, 3000)])
def test_an_answer_is_drawn_on_a_picture_of_any_form(height: int, width: int) -> None:
    pixels = np.full((height, width, 3), 200, np.uint8)
    drawn = captioned(pixels, [("a", 0.5), ("b", 0.2)])
    assert drawn.shape == pixels.shape
    assert (drawn != pixels).any()
    assert height < 100 or (drawn[100:] == pixels[100:]).all()
