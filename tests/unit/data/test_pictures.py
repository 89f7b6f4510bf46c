"""Decoding of what people send, good and bad, and fitting to a model's size."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray
from PIL import Image

from glassworks.data import decoder
from glassworks.data.pictures import decode_picture, fit_picture
from glassworks.errors import InputError


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def noise(height: int, width: int, channels: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def png_header(width: int, height: int) -> bytes:
    """A PNG that ends after its first two chunks."""
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(b"0")))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_color_survives_lossless_formats(kind: str) -> None:
    pixels = noise(5, 7, 3)
    assert np.array_equal(decode_picture(encoded(Image.fromarray(pixels), kind)), pixels)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_are_near(kind: str) -> None:
    pixels = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    assert np.abs(decode_picture(encoded(Image.fromarray(pixels), kind)).astype(int) - pixels).max() <= 6


def test_gray_has_one_channel_even_when_stored_as_color() -> None:
    gray = noise(6, 4, 1)
    assert np.array_equal(decode_picture(encoded(Image.fromarray(gray[:, :, 0]))), gray)
    assert np.array_equal(decode_picture(encoded(Image.fromarray(np.repeat(gray, 3, axis=2)))), gray)


def test_black_and_white_is_0_and_255() -> None:
    bits = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert("1")
    assert decode_picture(encoded(bits))[:, :, 0].tolist() == [[0, 255], [255, 0]]


def test_16_bits_are_scaled() -> None:
    deep = np.array([[0, 257, 32_768, 65_535]], np.uint16)
    assert decode_picture(encoded(Image.fromarray(deep)))[0, :, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    """Against Pillow's own ImageOps, on a picture that no rotation leaves the same."""
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(noise(8, 16, 1)[:, :, 0]), "JPEG", exif=exif.tobytes())
    with Image.open(io.BytesIO(data)) as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
    decoded = decode_picture(data)
    assert decoded.shape == ((8, 16, 1) if orientation <= 4 else (16, 8, 1))
    assert np.array_equal(decoded[:, :, 0], upright)


def test_transparency_is_laid_on_white() -> None:
    rgba = np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 128]]], np.uint8)
    assert decode_picture(encoded(Image.fromarray(rgba))).tolist() == [[[255, 0, 0], [255, 255, 255], [127, 127, 127]]]
    gray_alpha = Image.fromarray(rgba).convert("LA")
    assert decode_picture(encoded(gray_alpha)).shape == (1, 3, 1)


def test_palettes_are_looked_up() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 0])
    image.putpixel((1, 0), 1)
    assert decode_picture(encoded(image)).tolist() == [[[10, 20, 30], [200, 100, 0]]]
    assert decode_picture(encoded(image, transparency=0)).tolist() == [[[255, 255, 255], [200, 100, 0]]]


def test_cmyk_becomes_rgb() -> None:
    red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    assert np.abs(decode_picture(encoded(red, "JPEG")).astype(int) - (255, 0, 0)).max() <= 8


def test_the_first_frame_of_an_animation() -> None:
    frames = [Image.new("L", (4, 4), level) for level in (0, 255)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.array_equal(decode_picture(data), np.zeros((4, 4, 1), np.uint8))


def test_one_pixel_is_a_picture() -> None:
    assert decode_picture(encoded(Image.new("RGB", (1, 1), (1, 2, 3)))).tolist() == [[[1, 2, 3]]]


@pytest.mark.parametrize(
    ("data", "problem", "mend"),
    [
        (b"", "the 0 bytes given are not a picture", "give a whole PNG, JPEG"),
        (b"hello, world", r"are not a picture (they begin with b'hello, w')", "give a whole PNG, JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "are not a picture", "give a whole PNG, JPEG"),
        (png_header(30_000, 30_000), "at most 50,331,648 are allowed", "scale the picture down"),
        (png_header(9_000, 8_000), "9,000 x 8,000 = 72,000,000 pixels; at most", "scale the picture down"),
        (png_header(16, 16), "the PNG picture is damaged or cut short", "give a whole PNG, JPEG"),
        (png_header(0, 4), "the 54 bytes given are not a picture", "of at least 1 x 1 pixel"),
        (encoded(Image.fromarray(noise(64, 64, 3)), "JPEG")[:900], "the JPEG picture is damaged", "give a whole PNG"),
        (encoded(Image.fromarray(np.ones((2, 2), np.float32)), "TIFF"), "no agreed white", "give a whole PNG"),
    ],
    ids=["empty", "text", "postscript", "bomb", "large", "cut png", "no pixels", "cut jpeg", "float"],
)
def test_bad_pictures_are_refused(data: bytes, problem: str, mend: str) -> None:
    with pytest.raises(InputError) as caught:
        decode_picture(data)
    assert problem in caught.value.problem
    assert mend in caught.value.mend
    assert len(str(caught.value).splitlines()) == 2


def test_the_pixel_limit_can_be_set() -> None:
    data = encoded(Image.new("L", (10, 10)))
    assert decode_picture(data, max_pixels=100).shape == (10, 10, 1)
    with pytest.raises(InputError, match="10 x 10 = 100 pixels; at most 99 are allowed"):
        decode_picture(data, max_pixels=99)


DEEP = noise(40, 9, 2).view(np.uint16)[:, :, 0]
MODES = {
    "color": encoded(Image.fromarray(noise(40, 9, 3))),
    "color below gray": encoded(Image.fromarray(np.vstack([np.full((30, 9, 3), 7, np.uint8), noise(10, 9, 3)]))),
    "gray": encoded(Image.fromarray(noise(40, 9, 3)).convert("L")),
    "bits": encoded(Image.fromarray(noise(40, 9, 3)).convert("1")),
    "deep": encoded(Image.fromarray(DEEP)),
    "alpha": encoded(Image.fromarray(noise(40, 9, 4))),
    "palette": encoded(Image.fromarray(noise(40, 9, 3)).convert("P"), transparency=3),
    "gray and alpha": encoded(Image.fromarray(noise(40, 9, 2))),
    "inks": encoded(Image.fromarray(noise(40, 9, 3)).convert("CMYK"), "TIFF"),
}


@pytest.mark.parametrize("mode", MODES)
def test_strips_make_the_same_picture(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large pictures are converted some rows at a time."""
    whole = decode_picture(MODES[mode])
    monkeypatch.setattr(decoder, "_STRIP", 50)
    assert np.array_equal(decode_picture(MODES[mode]), whole)


def test_a_jpeg_of_many_scans_is_refused() -> None:
    """Each goes over all pixels, in few bytes."""
    data = encoded(Image.new("L", (64, 64), 9), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    assert decode_picture(data[:-2] + scan * 20 + data[-2:]).shape == (64, 64, 1)
    with pytest.raises(InputError, match="has 106 scans; at most 64 are read"):
        decode_picture(data[:-2] + scan * 100 + data[-2:])


WHOLE = tuple(encoded(Image.fromarray(noise(9, 9, 3)), kind) for kind in ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"))


@pytest.mark.filterwarnings("ignore")  # Pillow warns of damaged metadata, which is what is sent here.
@given(st.sampled_from(WHOLE), st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=8), st.data())
def test_damage_is_an_input_error_or_a_picture(
    whole: bytes, changes: list[tuple[int, int]], data: st.DataObject
) -> None:
    broken = bytearray(whole)
    for position, value in changes:
        broken[position % len(broken)] = value
    try:
        picture = decode_picture(bytes(broken[: data.draw(st.integers(0, len(broken)))]), max_pixels=10_000)
    except InputError as error:
        assert error.mend
    else:
        assert picture.dtype == np.uint8
        assert picture.shape[2] in (1, 3)


@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 3]), st.integers(1, 20), st.sampled_from([1, 3]))
def test_fitting_gives_the_size_asked_for(height: int, width: int, channels: int, side: int, wanted: int) -> None:
    fitted = fit_picture(noise(height, width, channels), side, side + 1, wanted)
    assert fitted.shape == (side, side + 1, wanted)
    assert fitted.dtype == np.uint8
    assert fitted.flags.c_contiguous


def test_fitting_changes_nothing_that_fits() -> None:
    for channels in (1, 3):
        pixels = noise(5, 6, channels)
        assert np.array_equal(fit_picture(pixels, 5, 6, channels), pixels)


def test_shrinking_is_antialiased() -> None:
    stripes = np.zeros((64, 64, 1), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(fit_picture(stripes, 8, 8, 1).astype(int) - 128).max() <= 8


def test_color_becomes_gray_by_luma_and_back() -> None:
    red = np.full((2, 2, 3), (255, 0, 0), np.uint8)
    assert fit_picture(red, 2, 2, 1).tolist() == [[[76]] * 2] * 2
    assert fit_picture(np.full((2, 2, 1), 9, np.uint8), 2, 2, 3).tolist() == [[[9, 9, 9]] * 2] * 2
