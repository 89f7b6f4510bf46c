"""Archives from strangers: nothing leaves the folder, nothing grows without end, names are read as they were meant."""

from __future__ import annotations

import stat
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.archives import picture, write_zip

from glassworks.data.uploads.records import Limits
from glassworks.data.uploads.unpacking import Unpacked, unpack
from glassworks.errors import DataError

LIMITS = Limits()


def unpacked(tmp_path: Path, files: Mapping[Any, bytes], limits: Limits = LIMITS) -> Unpacked:
    return unpack(write_zip(tmp_path / "sent.zip", files), "sent.zip", tmp_path / "to", limits)


def names(tmp_path: Path) -> list[str]:
    folder = tmp_path / "to"
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def refusal(tmp_path: Path, files: Mapping[Any, bytes], limits: Limits = LIMITS) -> str:
    before = {path for path in tmp_path.parent.rglob("*") if not path.is_relative_to(tmp_path)}
    with pytest.raises(DataError) as caught:
        unpacked(tmp_path, files, limits)
    assert {path for path in tmp_path.parent.rglob("*") if not path.is_relative_to(tmp_path)} == before
    return caught.value.problem


def linked(name: str, mode: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = (mode | 0o777) << 16
    return entry


def test_a_folder_around_everything_and_what_systems_add_are_taken_away(tmp_path: Path) -> None:
    found = unpacked(
        tmp_path,
        {
            "pets/cat/1.png": picture(1),
            "pets/dog/2.PNG": picture(2),
            "pets/dog/notes.txt": b"bought in May",
            "pets/.DS_Store": b"x",
            "pets/dog/Thumbs.db": b"x",
            "__MACOSX/pets/cat/._1.png": b"x",
            "pets/empty/": b"",
        },
    )
    assert names(tmp_path) == ["cat/1.png", "dog/2.PNG"]
    assert found.pictures
    assert found.notes == (
        "the folder 'pets/empty' is empty and was left out",
        "1 files that are no pictures were left out: dog/notes.txt",
        "3 files that systems add were left out: pets/.DS_Store, pets/dog/Thumbs.db, __MACOSX/pets/cat/._1.png",
    )


def test_the_only_class_is_no_folder_around_everything(tmp_path: Path) -> None:
    unpacked(tmp_path, {"pets/cat/1.png": picture(1), "pets/cat/2.png": picture(2)})
    assert names(tmp_path) == ["cat/1.png", "cat/2.png"]


def test_a_picture_is_one_by_its_content(tmp_path: Path) -> None:
    unpacked(tmp_path, {"a/1.png": picture(1), "b/2": picture(2, kind="JPEG"), "b/3.dat": picture(3, kind="WEBP")})
    assert names(tmp_path) == ["a/1.png", "b/2", "b/3.dat"]


def test_an_empty_picture_is_named(tmp_path: Path) -> None:
    found = unpacked(tmp_path, {"a/1.png": picture(1), "b/2.png": b""})
    assert found.notes == ("1 picture files hold nothing, for example b/2.png",)


@pytest.mark.parametrize(
    "name", ["../out.png", "a/../../out.png", "/etc/out.png", "C:/out.png", "a\\..\\..\\out.png", "a//b.png", "."]
)
def test_nothing_leaves_the_folder(name: str, tmp_path: Path) -> None:
    assert "names a file" in refusal(tmp_path, {"a/1.png": picture(1), name: picture(2)})


def test_a_backslash_is_a_separator(tmp_path: Path) -> None:
    unpacked(tmp_path, {"pets\\cat\\1.png": picture(1), "pets\\dog\\2.png": picture(2)})
    assert names(tmp_path) == ["cat/1.png", "dog/2.png"]


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_are_refused(mode: int, tmp_path: Path) -> None:
    said = refusal(tmp_path, {"a/1.png": picture(1), linked("a/link", mode): b"/etc/passwd"})
    assert "a link" in said or "not a regular file" in said


def test_a_bomb_is_stopped_while_it_unpacks(tmp_path: Path) -> None:
    files = {"a/1.png": picture(1), "b/2.png": b"\0" * (64 * 2**20)}
    assert "unpacks to more than" in refusal(tmp_path, files)
    written = sum(path.stat().st_size for path in (tmp_path / "to").rglob("*") if path.is_file())
    assert written < 20 * 2**20


def test_many_members_that_share_their_bytes_are_counted_together(tmp_path: Path) -> None:
    limits = Limits(unpacked_bytes=3 * 2**20)
    files: dict[str, bytes] = {f"a/{each}.png": b"\0" * 900_000 for each in range(20)}
    assert "unpacks to more than" in refusal(tmp_path, files, limits)


def test_a_header_that_lies_about_its_size_helps_nothing(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "sent.zip", {"a/1.png": b"\0" * (64 * 2**20)})
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<L", 100)
    path.write_bytes(content)
    with pytest.raises(DataError):
        unpack(path, "sent.zip", tmp_path / "to", LIMITS)
    assert sum(each.stat().st_size for each in (tmp_path / "to").rglob("*") if each.is_file()) < 20 * 2**20


def test_too_many_files_are_refused_before_they_are_listed(tmp_path: Path) -> None:
    files: dict[str, bytes] = {f"a/{each}.png": b"x" for each in range(200)}
    assert "200 files; 100 are allowed" in refusal(tmp_path, files, Limits(files=100))
    (tmp_path / "to").rmdir()
    assert "more files than are read at once" in refusal(tmp_path, files, Limits(directory_bytes=5000))


@pytest.mark.parametrize("name", ["/".join("abcdefghijklmn") + ".png", "a/" + "x" * 300 + ".png", "a/b\x07.png"])
def test_deep_long_and_odd_names_are_refused(name: str, tmp_path: Path) -> None:
    assert "names a file" in refusal(tmp_path, {name: picture(1)})


def test_a_name_with_a_null_character_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "sent.zip", {"a/bXc.png": picture(1)})
    path.write_bytes(path.read_bytes().replace(b"a/bXc.png", b"a/b\0c.png"))
    with pytest.raises(DataError, match="characters that no name has"):
        unpack(path, "sent.zip", tmp_path / "to", LIMITS)


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "sent.zip", {"a/1.png": picture(1)})
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="is encrypted"):
        unpack(path, "sent.zip", tmp_path / "to", LIMITS)


def test_a_file_in_the_way_of_a_folder_is_refused(tmp_path: Path) -> None:
    assert "a file and a folder" in refusal(tmp_path, {"a/x.png": picture(1), "a/x.png/y.png": picture(2)})


@pytest.mark.parametrize("cut", [10, 30, 200])
def test_a_part_of_an_archive_is_refused(cut: int, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "sent.zip", {"a/1.png": picture(1), "b/2.png": picture(2)})
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DataError, match="not a whole zip archive"):
        unpack(path, "sent.zip", tmp_path / "to", LIMITS)


@pytest.mark.parametrize(
    ("encoding", "name"), [("utf-8", "猫/图.png"), ("gbk", "猫咪/狗的图片.png"), ("cp437", "bébé/été.png")]
)
def test_names_without_a_mark_are_read_as_they_were_written(encoding: str, name: str, tmp_path: Path) -> None:
    raw = name.encode(encoding)
    stand_in = "x" * len(raw)
    path = write_zip(tmp_path / "sent.zip", {stand_in: picture(1), "other/1.png": picture(2)})
    path.write_bytes(path.read_bytes().replace(stand_in.encode(), raw))
    unpack(path, "sent.zip", tmp_path / "to", LIMITS)
    assert name in names(tmp_path)


def test_names_of_decomposed_letters_are_composed(tmp_path: Path) -> None:
    unpacked(tmp_path, {"cafe\u0301/1.png": picture(1), "tea/2.png": picture(2)})
    assert names(tmp_path) == ["caf\u00e9/1.png", "tea/2.png"]


def test_zip64_is_read_and_bounded(tmp_path: Path) -> None:
    path = tmp_path / "sent.zip"
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
        for each in range(65_540):
            archive.writestr(zipfile.ZipInfo(f"{'ab'[each % 2]}/{each}"), b"x")
    with pytest.raises(DataError, match="more files than are read at once"):
        unpack(path, "sent.zip", tmp_path / "to", Limits(directory_bytes=10_000))
