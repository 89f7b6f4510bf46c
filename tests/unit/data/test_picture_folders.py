"""Folders as people have them: read by content, and all that is left out is counted and named."""

from __future__ import annotations

import base64
import io
import os
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image

from glassworks.data.assigned import parts_among
from glassworks.data.checks import DataReport, check_pictures
from glassworks.data.class_names import alike
from glassworks.data.keys import PictureData
from glassworks.data.pictures import decode_picture, picture_size
from glassworks.data.preview.pictures import of_folder
from glassworks.data.reader import Reading, read_pictures
from glassworks.data.reports import report_on
from glassworks.errors import DataError, InputError
from glassworks.progress import Silent

HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAWhtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9jAA"
    "AAAERAAAEAAQAAAAABjAABAAAAAAAAAH4AAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA6GlwcnAA"
    "AADJaXBjbwAAAHVodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQApQgEBA3AAAAMAkA"
    "AAAwAAAwAeoCCBBZbqrprm4CGgwIAAAAyAAAADAIRiAAEABkQBwXPBiQAAABRpc3BlAAAAAAAAAEAAAABAAAAAKGNsYXAAAAAYAAAAAQAAABAA"
    "AAAB////2AAAAAL////QAAAAAgAAABBwaXhpAAAAAAMICAgAAAAXaXBtYQAAAAAAAAABAAEEgQIEgwAAAIZtZGF0AAAAeigBrwTyGwYPgEJTKL"
    "/f//kegLf/eTKXX6B9YudpErrR5RRshsMPPP0F4wWs+7QvHyd9Y+FcxnGefoClyKYKYvVuO9KISLBDLtyQ9GkkuwpkMgVQVB2Q8fzd9W+rVMSC"
    "VY98gK8+TgwIIJg9t7Dx2XZ1jBob6pdgBDXg"
)
"""24 x 16, the left half blue and the right half red, as a phone writes it."""


def picture(seed: int, form: str = "PNG", mode: str = "L") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 12, 3)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, form)
    return stream.getvalue()


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def report(folder: Path) -> DataReport:
    return check_pictures(read_pictures(f"folder:{folder}"))


def said(folder: Path) -> str:
    return "\n".join(map(str, report(folder).findings))


def basic(folder: Path, *names: str) -> Path:
    """Two classes, or those that are named, of three pictures each."""
    for number, name in enumerate(names or ("cat", "dog")):
        put(folder, {f"{name}/{each}.png": picture(10 * number + each) for each in range(3)})
    return folder


FILES = {
    "web.jfif": picture(50, "JPEG"),
    "cam.jpe": picture(51, "JPEG"),
    "nothing": picture(52, "JPEG"),
    "LOUD.PNG": picture(53),
    "scan.pgm": picture(54, "PPM"),
    "scan.ppm": picture(55, "PPM", "RGB"),
    "bits.pbm": picture(56, "PPM", "1"),
    "IMG_1.HEIC": HEIC,
    "IMG_2.heic": picture(57, "AVIF", "RGB"),
    "web.avif": picture(58, "AVIF", "RGB"),
    "download.php": picture(59, "WEBP", "RGB"),
    "photo.png.1": picture(60, "GIF"),
    "old.dib": picture(61, "BMP", "RGB"),
    "fax.0001": picture(62, "TIFF"),
}


def test_pictures_are_known_by_what_they_hold(tmp_path: Path) -> None:
    put(basic(tmp_path), {f"cat/{name}": content for name, content in FILES.items()})
    found = read_pictures(f"folder:{tmp_path}")
    assert {f"cat/{name}" for name in FILES} <= set(found.names)
    assert (found.unreadable, found.left_out, found.notes) == ((), (), ())
    assert of_folder(tmp_path).examples() == 6 + len(FILES)


def test_heic_and_avif_have_their_colors() -> None:
    for data in (HEIC, _avif()):
        pixels = decode_picture(data).astype(int)
        assert pixels.shape == (16, 24, 3)
        assert np.abs(pixels[4:12, 2:8] - (20, 40, 220)).max() < 16
        assert np.abs(pixels[4:12, 16:22] - (200, 30, 30)).max() < 16
        assert picture_size(data) == (24, 16)
        with pytest.raises(InputError, match="24 x 16 = 384 pixels; at most 383"):
            decode_picture(data, max_pixels=383)


def test_without_the_library_a_heic_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(
        InputError, match=r"the picture is HEIC, which needs another library\nmend: pip install pi-heif"
    ):
        decode_picture(HEIC)


def _avif() -> bytes:
    stream, image = io.BytesIO(), Image.new("RGB", (24, 16), (200, 30, 30))
    image.paste((20, 40, 220), (0, 0, 12, 16))
    image.save(stream, "AVIF", quality=90)
    return stream.getvalue()


AVIF = _avif()


@pytest.mark.parametrize("data", [HEIC, AVIF], ids=["heic", "avif"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=5), cut=st.integers(0, 700))
def test_damage_is_refused_in_words(data: bytes, changes: list[tuple[int, int]], cut: int) -> None:
    broken = bytearray(data)
    for position, value in changes:
        broken[position % len(broken)] = value
    try:
        found = decode_picture(bytes(broken[: max(cut, 1)]), max_pixels=10_000)
    except InputError:
        return
    assert found.shape[0] * found.shape[1] <= 10_000


def test_a_size_that_is_too_large_is_refused_before_anything_is_decoded() -> None:
    """The head of a HEIC says 40,000 pixels a side."""
    at = HEIC.index(b"ispe") + 8
    huge = HEIC[:at] + (40_000).to_bytes(4, "big") * 2 + HEIC[at + 8 :]
    with pytest.raises(InputError):
        decode_picture(huge.replace(b"clap", b"free"))


def test_all_that_is_left_out_is_counted_and_named(tmp_path: Path) -> None:
    basic(tmp_path)
    put(
        tmp_path,
        {"cat/notes.txt": b"hello", "cat/1.xml": b"<x/>", "cat/cut.png": picture(1)[:50], "top.png": picture(9)},
    )
    put(tmp_path, {"cat/Thumbs.db": b"x", ".DS_Store": b"x", "cat/@eaDir/0.png/SYNO.jpg": picture(8, "JPEG")})
    (tmp_path / "dog" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(tmp_path / "dog" / "pipe.png")
    found = read_pictures(f"folder:{tmp_path}")
    assert len(found) == 6
    reasons = dict(found.left_out)
    assert set(reasons) == {
        *("cat/notes.txt", "cat/1.xml", "top.png", "cat/Thumbs.db", ".DS_Store", "cat/@eaDir", "dog/gone.png"),
        "dog/pipe.png",
    }
    assert [name for name, _ in found.unreadable] == ["cat/cut.png"]
    text = said(tmp_path)
    assert "1 links lead nowhere and are left out: dog/gone.png" in text
    assert "3 files are no pictures that can be read and are left out: cat/1.xml, cat/notes.txt, dog/pipe.png" in text
    assert "1 pictures lie outside the class folders and are left out: top.png" in text
    assert (
        "3 hidden files, and files and folders that systems add, are left out: .DS_Store, cat/@eaDir, cat/Thumbs"
        in text
    )
    assert "1 files cannot be read: cat/cut.png" in text
    shown = report_on(PictureData(source=f"folder:{tmp_path}"), Silent()).unreadable
    assert shown.total == 9


@pytest.mark.parametrize(
    "name", ["@eaDir", "__MACOSX", ".thumbnails", ".ipynb_checkpoints", "lost+found", "$RECYCLE.BIN", "#recycle"]
)
def test_folders_of_systems_are_no_classes(name: str, tmp_path: Path) -> None:
    put(basic(tmp_path), {f"{name}/a.png": picture(40)})
    found = read_pictures(f"folder:{tmp_path}")
    assert found.classes == ("cat", "dog")
    assert found.left_out == ((name, "an operating system or a program put it there"),)


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    store = basic(tmp_path / "store", "a", "b")
    root = tmp_path / "root"
    basic(root, "cat")
    (root / "dog").symlink_to(store / "a")
    (root / "cat" / "more").symlink_to(store / "b")
    (root / "cat" / "again").symlink_to(store / "b")
    (root / "cat" / "self").symlink_to(root / "cat")
    (root / "cat" / "around").symlink_to(tmp_path)
    (root / "cat" / "link.png").symlink_to(store / "extra.png")
    put(store, {"extra.png": picture(77)})
    found = read_pictures(f"folder:{root}")
    counts = dict(zip(found.classes, found.counts().tolist(), strict=True))
    assert counts == {"cat": 7, "dog": 3}
    text = said(root)
    assert "2 linked folders are followed: dog, cat/again" in text
    assert "3 links to folders that are read already are left out: cat/around, cat/more, cat/self" in text


PARTS = [
    ("train", "test"),
    ("train", "val", "test"),
    ("Train", "Validation", "testing"),
    ("train", "test", "unlabeled"),
    ("valid", "training", "misc", "test"),
    ("train_images", "test_images"),
    ("Training Set", "test_set"),
    ("seg_train", "seg_test", "seg_pred"),
    ("train2017", "val2017"),
    ("train", "test-images"),
]


@pytest.mark.parametrize("names", PARTS)
@pytest.mark.parametrize("around", ["", "dataset/"])
def test_splits_are_no_classes_and_are_kept_on_demand(names: tuple[str, ...], around: str, tmp_path: Path) -> None:
    for number, name in enumerate(names):
        basic(tmp_path / around / name)
        put(tmp_path / around / name, {"cat/own.png": picture(900 + number), "loose.png": picture(950)})
    source = f"folder:{tmp_path}"
    with pytest.raises(DataError, match="these are splits, not classes") as caught:
        read_pictures(source)
    assert 'data.split = "folders"' in caught.value.mend
    found = read_pictures(source, Reading.of(PictureData(source=source, split="folders")))
    known = parts_among(names)
    kept = [name for name in known if known[name] != "unlabeled"]
    assert found.classes == ("cat", "dog")
    assert len(found) == 7 * len(kept)
    assert set(found.assigned.parts) == {known[name] for name in kept}
    for name, part in zip(found.names, found.assigned.parts, strict=True):
        assert known[name.removeprefix(around).partition("/")[0]] == part
    text = "\n".join(map(str, check_pictures(found).findings))
    assert 'are parts, which data.split = "folders" keeps' in text
    assert ("pictures lie in a folder of pictures without labels" in text) is ("unlabeled" in names)


def test_parts_in_the_folders_of_classes(tmp_path: Path) -> None:
    basic(tmp_path / "cat", "train", "test", "masks")
    basic(tmp_path / "dog", "Train", "Test")
    source = f"folder:{tmp_path}"
    with pytest.raises(DataError, match="cat/test, cat/train: these are splits, not classes"):
        read_pictures(source)
    found = read_pictures(source, Reading(split="folders"))
    assert found.classes == ("cat", "dog")
    assert {name.split("/")[1].lower() for name in found.names} == {"train", "test"}
    for name, part in zip(found.names, found.assigned.parts, strict=True):
        assert name.split("/")[1].lower() == part
    assert "differ in blanks" not in "\n".join(map(str, found.notes))


def test_a_part_may_have_one_folder_around_its_classes(tmp_path: Path) -> None:
    for part in ("seg_train", "seg_test"):
        basic(tmp_path / part / part)
    found = read_pictures(f"folder:{tmp_path}", Reading(split="folders"))
    assert found.classes == ("cat", "dog")


@pytest.mark.parametrize(
    "names", [("test tube", "train station"), ("bus", "train"), ("test1", "trial1"), ("eval", "cat")]
)
def test_classes_that_have_such_a_word_are_classes(names: tuple[str, ...], tmp_path: Path) -> None:
    assert set(read_pictures(f"folder:{basic(tmp_path, *names)}").classes) == set(names)


def test_parts_that_are_not_there(tmp_path: Path) -> None:
    source = f"folder:{basic(tmp_path)}"
    with pytest.raises(DataError, match=r"has no folders train, validation or test; it has: cat, dog\nmend: .*leave"):
        read_pictures(source, Reading(split="folders"))
    with pytest.raises(DataError, match=r"has no labels.csv, whose column data.split would be"):
        read_pictures(source, Reading(split="part"))


def test_one_split_or_one_folder_around_the_classes_is_gone_into(tmp_path: Path) -> None:
    basic(tmp_path / "download" / "train")
    found = read_pictures(f"folder:{tmp_path}")
    assert found.classes == ("cat", "dog")
    assert "the classes are the folders in 'download/train', which is the only one here" in said(tmp_path)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    assert read_pictures(f"folder:{basic(tmp_path, 'bus', 'train')}").classes == ("bus", "train")


def test_spellings_of_one_name_are_one_class(tmp_path: Path) -> None:
    basic(tmp_path, "café", unicodedata.normalize("NFD", "café"), "dog", "dog ", "big  dog")
    found = read_pictures(f"folder:{tmp_path}")
    assert dict(zip(found.classes, found.counts().tolist(), strict=True)) == {"big dog": 3, "café": 6, "dog": 6}
    text = said(tmp_path)
    assert "'café' is one class: " in text
    assert "'dog' is one class: 'dog', 'dog '" in text


@pytest.mark.parametrize(
    ("names", "alikes"),
    [
        (("Cat", "cat", "dog"), "'Cat' (3), 'cat' (3)"),
        (("golden retriever", "golden_retriever"), "'golden retriever' (3), 'golden_retriever' (3)"),
        (("Straße", "STRASSE"), "'STRASSE' (3), 'Straße' (3)"),
        (("ｃａｔ", "cat"), "'cat' (3), 'ｃａｔ' (3)"),
    ],
)
def test_names_that_look_alike_are_told_first(names: tuple[str, ...], alikes: str, tmp_path: Path) -> None:
    basic(tmp_path, *names)
    first = str(report(tmp_path).findings[0])
    assert first.startswith(
        f"these classes differ only in case, blanks or signs, and are learned as different ones: {alikes}"
    )
    assert "give them one name" in first


def test_numbers_and_signs_are_not_alike() -> None:
    assert not list(alike(dict.fromkeys(["-5", "5", "1-5", "15", "1.5", "C++", "C#", "C", "a", "b"], 1)))


def test_a_class_of_other_files_alone_says_which(tmp_path: Path) -> None:
    put(basic(tmp_path), {"bird/a.psd": b"8BPS", "bird/b.txt": b"x"})
    with pytest.raises(DataError, match=r"'bird' holds no picture, and 2 other files: bird/a.psd, bird/b.txt"):
        read_pictures(f"folder:{tmp_path}")
