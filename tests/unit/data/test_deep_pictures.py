"""Pictures of 16 bits a channel that use fewer: scaled by what the file says, else by all files, else refused."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from glassworks.data.checks import check_pictures
from glassworks.data.keys import PictureData
from glassworks.data.pictures import decode_picture, thumbnail_of_file
from glassworks.data.reader import Reading, read_pictures
from glassworks.errors import InputError

GRAY = np.random.default_rng(0).integers(0, 256, (12, 10, 1)).astype(np.uint8)
COLOR = np.random.default_rng(1).integers(0, 256, (12, 10, 3)).astype(np.uint8)
GRAY[0, 0], COLOR[0, 0] = 255, 255
BITS = [10, 12, 14]


def spread(picture: NDArray[np.uint8], bits: int) -> NDArray[np.uint16]:
    """8 bits as so many, the lower ones as the upper ones."""
    wide = picture.astype(np.uint16)
    found: NDArray[np.uint16] = np.bitwise_or(wide << (bits - 8), wide >> (16 - bits), dtype=np.uint16)
    return found


def png(pixels: NDArray[np.uint16], significant: int = 0) -> bytes:
    """By OpenCV, with a chunk sBIT where it says how many bits are used."""
    data: bytes = cv2.imencode(".png", pixels[:, :, ::-1] if pixels.shape[2] == 3 else pixels)[1].tobytes()
    if significant:
        content = b"sBIT" + bytes([significant] * pixels.shape[2])
        chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
        data = data[:33] + chunk + data[33:]
    return data


def tiff(pixels: NDArray[np.uint16], **tags: Any) -> bytes:
    """By Pillow, with the tags that are given by number."""
    stream = io.BytesIO()
    info = {int(name[1:]): value for name, value in tags.items()}
    Image.fromarray(pixels[:, :, 0]).save(stream, "TIFF", tiffinfo=info)
    return stream.getvalue()


def color_tiff(pixels: NDArray[np.uint16]) -> bytes:
    data: bytes = cv2.imencode(".tif", pixels[:, :, ::-1])[1].tobytes()
    return data


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("picture", [GRAY, COLOR], ids=["gray", "color"])
def test_the_file_says_how_many_bits_it_uses(bits: int, picture: NDArray[np.uint8]) -> None:
    assert np.array_equal(decode_picture(png(spread(picture, bits), bits)), picture)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("tag", ["t341", "t281"])
def test_tags_of_a_tiff_say_it(bits: int, tag: str) -> None:
    assert np.array_equal(decode_picture(tiff(spread(GRAY, bits), **{tag: 2**bits - 1})), GRAY)


@pytest.mark.parametrize("picture", [GRAY, COLOR], ids=["gray", "color"])
def test_pixels_that_were_scaled_already_are_not_scaled_again(picture: NDArray[np.uint8]) -> None:
    assert np.array_equal(decode_picture(png(spread(picture, 16), 12)), picture)
    assert np.array_equal(decode_picture(png(spread(picture, 16))), picture)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("write", [png, tiff, color_tiff])
def test_a_file_that_does_not_say_it_is_refused_unless_it_is_said(bits: int, write: Any) -> None:
    picture = GRAY if write is tiff else COLOR
    data = write(spread(picture, bits))
    with pytest.raises(InputError, match=rf"as {bits} bits in 16 do: it would look nearly black\nmend: .*sBIT"):
        decode_picture(data)
    assert np.array_equal(decode_picture(data, bits=bits), picture)
    with pytest.raises(InputError, match="more than the 8 bits that are said"):
        decode_picture(data, bits=8)
    assert decode_picture(data, bits=16).max() == 255 >> (16 - bits)  # somebody says that it is dark
    with Image.open(io.BytesIO(thumbnail_of_file(data))) as small:
        assert np.asarray(small).max() == 255


def test_black_is_black() -> None:
    assert not decode_picture(png(np.zeros((4, 4, 1), np.uint16))).any()


def test_16_bits_where_0_is_white_are_turned_round() -> None:
    assert np.array_equal(decode_picture(tiff(65_535 - spread(GRAY, 16), t262=0)), GRAY)
    assert np.array_equal(decode_picture(tiff(4095 - spread(GRAY, 12), t262=0), bits=12), GRAY)


def test_transparency_of_16_bits_is_laid_on_white() -> None:
    pixels = np.dstack([spread(COLOR, 12), np.full((12, 10), 65_535, np.uint16)])
    pixels[0, 1] = 0
    data: bytes = cv2.imencode(".png", pixels[:, :, [2, 1, 0, 3]])[1].tobytes()
    wanted = COLOR.copy()
    wanted[0, 1] = 255
    assert np.array_equal(decode_picture(data, bits=12), wanted)


def test_gray_with_transparency_of_16_bits() -> None:
    pixels = np.dstack([spread(GRAY, 12), np.full((12, 10), 65_535, np.uint16)])
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 10, 12, 16, 4, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert np.array_equal(decode_picture(data, bits=12), GRAY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of 12 bits, each class, and pictures of 8 bits beside them."""
    for name, level in (("dark", 60), ("bright", 200)):
        (tmp_path / name).mkdir()
        for index in range(4):
            pixels = np.random.default_rng(index).integers(0, level, (9, 9, 1)).astype(np.uint8)
            pixels[0, index] = level
            (tmp_path / name / f"{index}.png").write_bytes(png(spread(pixels, 12)))
        Image.fromarray(pixels[:, :, 0]).save(tmp_path / name / "eight.png")
    return tmp_path


def test_a_data_set_is_measured_as_a_whole_and_that_is_told(folder: Path) -> None:
    found = read_pictures(f"folder:{folder}")
    assert (found.bits, len(found), found.unreadable) == (12, 10, ())
    assert found.pictures[found.names.index("dark/0.png")].max() == 60
    assert found.pictures[found.names.index("dark/eight.png")].max() == 60
    said, dark = [str(each) for each in check_pictures(found).findings if "16 bits a channel" in str(each)]
    assert said.startswith("8 pictures of 16 bits") and "read as 12 bits; data.bits says otherwise" in said
    assert dark.startswith("4 of 8 pictures of 16 bits a channel use less than a quarter of the 12 bits")


def test_a_job_says_otherwise(folder: Path) -> None:
    found = read_pictures(f"folder:{folder}", Reading.of(PictureData(source=f"folder:{folder}", bits=14)))
    assert found.bits == 14
    assert found.pictures[found.names.index("bright/0.png")].max() == 50
    assert not [each for each in check_pictures(found).findings if "16 bits" in str(each)]


def test_16_bits_that_are_used_need_no_word(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_bytes(png(spread(GRAY if name == "a" else 255 - GRAY, 16)))
        (tmp_path / name / "1.png").write_bytes(png(spread(GRAY // 8 if name == "a" else GRAY[::-1] // 8, 16)))
    found = read_pictures(f"folder:{tmp_path}")
    assert (found.bits, found.unreadable) == (16, ())
    assert np.array_equal(found.pictures[found.names.index("a/1.png")], GRAY // 8)


@pytest.mark.parametrize(("low", "high"), [(12, 16), (10, 12)])
def test_depths_that_are_mixed_are_told(low: int, high: int, tmp_path: Path) -> None:
    for name, bits in {"a/x": low, "a/y": high, "b/x": low, "b/y": high}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.png").write_bytes(png(spread(GRAY, bits)))
    text = "\n".join(map(str, read_pictures(f"folder:{tmp_path}").notes))
    assert f"2 of 4 pictures of 16 bits a channel use less than a quarter of the {high} bits" in text


def test_a_chunk_that_says_nonsense_says_nothing() -> None:
    wide = spread(GRAY, 12)
    said = b"Comment\0 sBIT\x0c"
    chunk = struct.pack(">I", len(said)) + b"tEXt" + said + struct.pack(">I", zlib.crc32(b"tEXt" + said))
    plain = png(wide)
    for data in (png(wide, 200), plain[:33] + chunk + plain[33:]):
        with pytest.raises(InputError, match="as 12 bits in 16 do"):
            decode_picture(data)
