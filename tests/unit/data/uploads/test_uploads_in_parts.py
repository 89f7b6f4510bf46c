"""Uploads that break off, that lie about themselves, that nobody ends, and that fill the disk."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.patience import PATIENCE_S

from glassworks.data.uploads.receiving import Uploads, WrongOffset
from glassworks.data.uploads.records import Item, Limits
from glassworks.data.uploads.store import DataStore
from glassworks.errors import DataError, InputError, NotFound, Overloaded, StorageError

TABLE = "text,label\n" + "".join(
    f"number {each} is a text,{'even' if each % 2 == 0 else 'odd'}\n" for each in range(40)
)
CONTENT = TABLE.encode()


class Disk(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def store(tmp_path: Path) -> DataStore:
    return DataStore(tmp_path)


@pytest.fixture
def uploads(store: DataStore) -> Uploads:
    return Uploads(store)


def send(uploads: Uploads, content: bytes = CONTENT, name: str = "table.csv", **more: Any) -> Item:
    upload = uploads.begin(name, len(content), **more)
    uploads.append(upload.id, 0, content)
    return uploads.complete(upload.id)


def left(store: DataStore) -> list[str]:
    return sorted(path.relative_to(store.folder).as_posix() for path in store.folder.rglob("*") if path.is_file())


def test_parts_become_data(uploads: Uploads, store: DataStore) -> None:
    upload = uploads.begin("table.csv", len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest().upper())
    assert uploads.append(upload.id, 0, CONTENT[:100]) == 100
    assert uploads.append(upload.id, 100, CONTENT[100:]) == len(CONTENT)
    item = uploads.complete(upload.id)
    assert (item.name, item.kind, item.form, item.examples) == ("table.csv", "texts", "csv", 40)
    assert item.id == hashlib.sha256(CONTENT).hexdigest()[:32]
    assert store.content(item).read_bytes() == CONTENT
    assert store.items() == (item,)


def test_a_broken_connection_is_gone_on_with_elsewhere_and_later(uploads: Uploads, store: DataStore) -> None:
    upload = uploads.begin("table.csv", len(CONTENT))
    uploads.append(upload.id, 0, CONTENT[:100])
    later = Uploads(store)  # as after a restart
    assert later.find(upload.id)[1] == 100
    assert later.append(upload.id, 50, CONTENT[50:150]) == 150  # part of it arrived, but the answer did not
    assert later.append(upload.id, 0, CONTENT[:100]) == 150  # a part is sent again as it is
    with pytest.raises(WrongOffset) as caught:
        later.complete(upload.id)
    assert caught.value.offset == 150
    later.append(upload.id, 150, CONTENT[150:])
    assert store.content(later.complete(upload.id)).read_bytes() == CONTENT


@pytest.mark.parametrize("offset", [-1, 101, 10**15])
def test_a_gap_says_where_to_go_on(offset: int, uploads: Uploads) -> None:
    upload = uploads.begin("table.csv", len(CONTENT))
    uploads.append(upload.id, 0, CONTENT[:100])
    with pytest.raises(WrongOffset) as caught:
        uploads.append(upload.id, offset, b"xy")
    assert caught.value.offset == 100
    assert uploads.find(upload.id)[1] == 100


def test_other_bytes_in_the_same_place_are_refused(uploads: Uploads) -> None:
    upload = uploads.begin("table.csv", len(CONTENT))
    uploads.append(upload.id, 0, CONTENT[:100])
    with pytest.raises(WrongOffset):
        uploads.append(upload.id, 50, b"#" * 100)
    assert uploads.find(upload.id)[1] == 100


def test_more_than_was_announced_is_refused(uploads: Uploads) -> None:
    upload = uploads.begin("table.csv", 10)
    with pytest.raises(InputError, match="the part ends at 11"):
        uploads.append(upload.id, 0, CONTENT[:11])
    assert uploads.find(upload.id)[1] == 0


def test_completing_again_gives_the_same(uploads: Uploads) -> None:
    upload = uploads.begin("table.csv", len(CONTENT))
    uploads.append(upload.id, 0, CONTENT)
    item = uploads.complete(upload.id)
    assert uploads.complete(upload.id) == item
    assert uploads.append(upload.id, 0, CONTENT) == len(CONTENT)
    assert uploads.find(upload.id)[1] == len(CONTENT)


def test_another_hash_is_refused_and_nothing_is_kept(uploads: Uploads, store: DataStore) -> None:
    with pytest.raises(InputError, match="has the SHA-256"):
        send(uploads, sha256="0" * 64)
    assert left(store) == []
    with pytest.raises(InputError, match="is no SHA-256"):
        send(uploads, sha256="../../etc")


def test_what_is_no_data_is_refused_and_nothing_is_kept(uploads: Uploads, store: DataStore) -> None:
    with pytest.raises(DataError):
        send(uploads, b"%PDF-1.7 ...", "table.csv")
    assert left(store) == []


@pytest.mark.parametrize("upload", ["", "..", "../../items", "0" * 32, "0" * 31 + "\n", "x" * 32, "/etc/passwd"])
def test_an_id_that_was_not_given_is_not_found(upload: str, uploads: Uploads) -> None:
    actions: list[Callable[[], object]] = [
        lambda: uploads.find(upload),
        lambda: uploads.append(upload, 0, b"x"),
        lambda: uploads.complete(upload),
        lambda: uploads.abandon(upload),
    ]
    uploads.begin("table.csv", 10)
    for each in actions:
        with pytest.raises(NotFound):
            each()


def test_ids_cannot_be_guessed(uploads: Uploads) -> None:
    ids = {uploads.begin("table.csv", 10).id for _ in range(20)}
    assert len(ids) == 20
    assert all(len(each) == 32 for each in ids)
    assert len({each[:8] for each in ids}) == 20


@pytest.mark.parametrize("name", ["", "  ", "a/b.csv", "..\\b.csv", "a\0b.csv", "a\nb.csv", "x" * 256, "\u202etxt.exe"])
def test_odd_names_are_refused(name: str, uploads: Uploads, store: DataStore) -> None:
    with pytest.raises(InputError):
        uploads.begin(name, 10)
    assert left(store) == []


def test_a_name_in_any_script_is_kept(uploads: Uploads) -> None:
    assert send(uploads, name="评论 数据.csv").name == "评论 数据.csv"


@pytest.mark.parametrize("size", [0, -1, 2 * 2**30 + 1, 10**30])
def test_sizes_are_bounded(size: int, uploads: Uploads) -> None:
    with pytest.raises(InputError):
        uploads.begin("table.csv", size)


def test_so_many_at_a_time(tmp_path: Path) -> None:
    uploads = Uploads(DataStore(tmp_path, Limits(uploads=2)))
    first, _ = uploads.begin("a.csv", 10), uploads.begin("b.csv", 10)
    with pytest.raises(Overloaded):
        uploads.begin("c.csv", 10)
    uploads.abandon(first.id)
    uploads.begin("c.csv", 10)


def test_abandoned_ones_are_forgotten(tmp_path: Path) -> None:
    store = DataStore(tmp_path, Limits(uploads=1, kept_s=60))
    now = [0.0]
    uploads = Uploads(store, clock=lambda: now[0])
    first = uploads.begin("a.csv", 10)
    now[0] = uploads.expires_at(first.id) + 1
    second = uploads.begin("b.csv", 10)
    with pytest.raises(NotFound):
        uploads.find(first.id)
    assert uploads.find(second.id)[1] == 0


def test_what_a_killed_process_left_is_forgotten(uploads: Uploads, store: DataStore) -> None:
    old, new = (store.folder / "partial" / name for name in ("old", "new"))
    for folder in (old, new):
        (folder / "content").mkdir(parents=True)
    os.utime(old, (0, 0))
    uploads.begin("a.csv", 10)
    assert (old.exists(), new.exists()) == (False, True)


def test_so_much_of_the_disk_stays_free(uploads: Uploads, store: DataStore, monkeypatch: pytest.MonkeyPatch) -> None:
    free = store.limits.margin_bytes + 1000
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(2**40, 2**40 - free, free))
    first = uploads.begin("a.csv", 600)
    with pytest.raises(StorageError):
        uploads.begin("b.csv", 600)  # the first may still need its part
    uploads.append(first.id, 0, b"x" * 100)
    free -= 990
    with pytest.raises(StorageError):
        uploads.append(first.id, 100, b"x" * 100)
    assert uploads.find(first.id)[1] == 100


def test_a_full_disk_loses_nothing(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = uploads.begin("table.csv", len(CONTENT))
    whole, written = os.pwrite, [0]

    def full(file: int, content: bytes, at: int) -> int:
        if written[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written[0] = whole(file, content[:60], at)
        return written[0]

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StorageError, match="the disk is full"):
        uploads.append(upload.id, 0, CONTENT)
    assert uploads.find(upload.id)[1] == 0
    monkeypatch.setattr(os, "pwrite", whole)
    uploads.append(upload.id, 0, CONTENT)
    assert uploads.complete(upload.id).examples == 40


def test_a_disk_that_fills_up_while_unpacking_leaves_the_upload(
    uploads: Uploads, store: DataStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = uploads.begin("table.csv", len(CONTENT))
    uploads.append(upload.id, 0, CONTENT)
    before = left(store)
    rename = Path.rename

    def full(self: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(StorageError, match="the disk is full"):
        uploads.complete(upload.id)
    assert left(store) == before
    monkeypatch.setattr(Path, "rename", rename)
    assert uploads.complete(upload.id).examples == 40


def test_the_same_content_at_once_is_one_item(uploads: Uploads, store: DataStore) -> None:
    found: list[Item] = []
    together = threading.Barrier(4)

    def one(number: int) -> None:
        upload = uploads.begin(f"table-{number}.csv", len(CONTENT))
        uploads.append(upload.id, 0, CONTENT)
        together.wait(PATIENCE_S)
        found.append(uploads.complete(upload.id))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(PATIENCE_S)
    assert len(found) == 4
    assert len({item.model_dump_json() for item in found}) == 1
    assert len(store.items()) == 1
    assert not list((store.folder / "partial").iterdir())


def test_one_upload_completed_by_two_at_once(uploads: Uploads) -> None:
    upload = uploads.begin("table.csv", len(CONTENT))
    uploads.append(upload.id, 0, CONTENT)
    found: list[Item] = []
    threads = [threading.Thread(target=lambda: found.append(uploads.complete(upload.id))) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(PATIENCE_S)
    assert len(found) == 4
    assert len({item.id for item in found}) == 1
