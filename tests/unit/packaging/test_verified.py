"""Large files are read once and trusted until they are touched; small ones are always read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.unit.recommendation.shops import bundle

from glassworks.errors import Tampered
from glassworks.packaging import bundle as reading, verified
from glassworks.packaging.bundle import read_bundle
from glassworks.packaging.verified import Verified

FILE = "items.parquet"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were hashed."""
    names, hashed = list[str](), reading._sha256

    def hash_file(path: Path) -> str:
        names.append(path.name)
        return hashed(path)

    monkeypatch.setattr(reading, "_sha256", hash_file)
    monkeypatch.setattr(verified, "LARGE_BYTES", 1000)
    monkeypatch.setattr(verified, "SETTLED_NS", 0)
    return names


def test_a_large_file_is_read_once_and_a_small_one_each_time(tmp_path: Path, read: list[str]) -> None:
    folder, known = bundle(tmp_path / "shop"), Verified(tmp_path / "verified")
    read.clear()
    first = read_bundle(folder, verified=known)
    everything = set(read)
    read.clear()
    assert read_bundle(folder, verified=known) == first
    assert FILE in everything - set(read)
    assert all((folder / name).stat().st_size < 1000 for name in read)
    assert read


@pytest.mark.parametrize("keep_times", [False, True])
def test_a_file_that_was_touched_is_read_again(tmp_path: Path, read: list[str], keep_times: bool) -> None:
    folder, known = bundle(tmp_path / "shop"), Verified(tmp_path / "verified")
    read_bundle(folder, verified=known)
    before = (folder / FILE).stat()
    content = bytearray((folder / FILE).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / FILE).write_bytes(bytes(content))
    if keep_times:
        os.utime(folder / FILE, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(Tampered, match=FILE):
        read_bundle(folder, verified=known)


def test_a_file_that_was_changed_just_now_is_not_remembered(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verified, "SETTLED_NS", 10**12)
    folder, known = bundle(tmp_path / "shop"), Verified(tmp_path / "verified")
    read_bundle(folder, verified=known)
    read.clear()
    read_bundle(folder, verified=known)
    assert FILE in read


def test_what_was_remembered_wrongly_or_cannot_be_kept_only_costs_time(tmp_path: Path, read: list[str]) -> None:
    folder = bundle(tmp_path / "shop")
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    read_bundle(folder, verified=Verified(tmp_path / "taken"))
    known = Verified(tmp_path / "verified")
    read_bundle(folder, verified=known)
    for file in (tmp_path / "verified").iterdir():
        file.write_text("[", encoding="utf-8")
    read.clear()
    read_bundle(folder, verified=known)
    assert FILE in read
