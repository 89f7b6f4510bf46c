"""Stored files: each for its owner alone, whole after a restart, gone when they expire, and never where a name says."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from glassworks.errors import InputError, NotFound
from glassworks.serving.access.clock import Clock
from glassworks.serving.batches.files import FileStore
from glassworks.serving.batches.records import Batch, StoredFile
from glassworks.serving.batches.store import BatchStore

NOW = 1_000_000


class Hands:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.wall = float(NOW)

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.wall, wall=lambda: self.wall)


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def store(tmp_path: Path, hands: Hands) -> FileStore:
    return FileStore(tmp_path, hands.clock())


def contents(home: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in (home / "files").rglob("*") if path.is_file())


def test_a_file_is_there_after_a_restart_with_everything(tmp_path: Path, store: FileStore, hands: Hands) -> None:
    made = store.create("key", "a.jsonl", "batch", b"one\n", 60)
    again = FileStore(tmp_path, hands.clock())
    found = again.get("key", made.id)
    assert found == made
    assert again.path(found).read_bytes() == b"one\n"
    assert found.sha256 == hashlib.sha256(b"one\n").hexdigest()
    assert found.public() == {
        "id": made.id,
        "object": "file",
        "bytes": 4,
        "created_at": NOW,
        "expires_at": NOW + 60,
        "filename": "a.jsonl",
        "purpose": "batch",
        "status": "processed",
        "status_details": None,
    }


def test_nothing_is_made_by_looking(tmp_path: Path, store: FileStore) -> None:
    assert store.page("key", 10) == ([], False)
    store.purge()
    with pytest.raises(NotFound):
        store.get("key", "file-1")
    assert list(tmp_path.iterdir()) == []


def test_others_see_nothing_of_it(store: FileStore) -> None:
    made = store.create("key", "a", "batch", b"secret")
    asks: list[Callable[[], object]] = [
        lambda: store.get("other", made.id),
        lambda: store.delete("other", made.id),
        lambda: store.page("other", 10, after=made.id),
    ]
    for ask in asks:
        with pytest.raises(NotFound, match=f"there is no file '{made.id}'"):
            ask()
    assert store.page("other", 10) == ([], False)
    assert store.get("key", made.id) == made


def test_contents_are_shared_and_go_with_the_last_of_them(tmp_path: Path, store: FileStore) -> None:
    one, two = (store.create(owner, "a", "batch", b"same") for owner in ("key", "other"))
    assert contents(tmp_path) == [b"same"]
    store.delete("key", one.id)
    assert store.path(store.get("other", two.id)).read_bytes() == b"same"
    store.delete("other", two.id)
    assert contents(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "kept"), [("../../etc/passwd", "passwd"), ("C:\\x\\y.jsonl", "y.jsonl"), ("名字", "名字")]
)
def test_a_name_is_no_path(tmp_path: Path, store: FileStore, name: str, kept: str) -> None:
    made = store.create("key", name, "batch", b"x")
    assert made.filename == kept
    assert store.path(made) == tmp_path / "files" / made.sha256[:2] / made.sha256


@pytest.mark.parametrize("name", ["", "..//", "a\nb", "a\0", "x" * 256, "\u202ea"])
def test_a_name_that_cannot_be_shown_is_refused(store: FileStore, name: str) -> None:
    with pytest.raises(InputError, match="characters that can be printed"):
        store.create("key", name, "batch", b"x")


def test_pages_hold_everything_once_in_either_order(store: FileStore) -> None:
    made = [store.create("key", f"{number}", ("batch", "evals")[number % 2], b"x").id for number in range(7)]
    for ascending, limit in itertools.product((True, False), (1, 3, 7, 8)):
        found: list[str] = []
        more = True
        while more:
            files, more = store.page("key", limit, after=found[-1] if found else None, ascending=ascending)
            found += [each.id for each in files]
        assert found == (made if ascending else made[::-1])
    assert [each.id for each in store.page("key", 9, purpose="evals", ascending=True)[0]] == made[1::2]


def test_what_has_expired_is_gone_and_then_its_content(tmp_path: Path, store: FileStore, hands: Hands) -> None:
    made, stays = store.create("key", "a", "batch", b"short", 10), store.create("key", "b", "batch", b"long")
    hands.wall += 9
    assert store.get("key", made.id) == made
    hands.wall += 1
    with pytest.raises(NotFound):
        store.get("key", made.id)
    assert store.page("key", 10) == ([stays], False)
    assert contents(tmp_path) == [b"long", b"short"]
    store.purge()
    assert contents(tmp_path) == [b"long"]


def test_an_owner_keeps_no_more_than_there_is_room_for(tmp_path: Path, hands: Hands) -> None:
    store = FileStore(tmp_path, hands.clock(), most_bytes=10)
    store.create("key", "a", "batch", b"123456")
    with pytest.raises(InputError, match="your files have 6 bytes, and at most 10 are kept"):
        store.create("key", "a", "batch", b"12345")
    store.create("other", "a", "batch", b"12345")


def test_what_a_batch_reads_is_neither_deleted_nor_purged(tmp_path: Path, store: FileStore, hands: Hands) -> None:
    made = store.create("key", "a", "batch", b"x", 5)
    batches = BatchStore(tmp_path)
    batch = Batch(
        id="batch_1", owner="key", endpoint="/v1/embeddings", input_file_id=made.id, completion_window="24h",
        status="in_progress", created_at=NOW, expires_at=NOW + 9,
    )  # fmt: skip
    batches.add(batch)
    with pytest.raises(InputError, match="the batch batch_1 reads the file"):
        store.delete("key", made.id)
    hands.wall += 10
    store.purge()
    assert contents(tmp_path) == [b"x"]
    batches.change("batch_1", lambda each: each.turned("completed", NOW))
    store.purge()
    assert contents(tmp_path) == []


def test_taking_over_a_file_twice_gives_one(tmp_path: Path, store: FileStore) -> None:
    path = tmp_path / "made.jsonl"
    path.write_bytes(b"line\n")
    draft = StoredFile(
        id="file-9", owner="key", filename="o", purpose="batch_output", size_bytes=0, sha256="", created_at=NOW
    )
    assert store.adopt(draft, path) == store.adopt(draft, path)
    assert [each.size_bytes for each in store.page("key", 9)[0]] == [5]


def test_makers_and_deleters_of_one_content_never_lose_it(tmp_path: Path, hands: Hands) -> None:
    stores = [FileStore(tmp_path, hands.clock()) for _ in range(4)]
    stores[0].create("keeper", "kept", "batch", b"x")
    failures: list[str] = []

    def work(store: FileStore) -> None:
        for _ in range(15):
            made = store.create("key", "a", "batch", b"same")
            if store.path(made).read_bytes() != b"same":
                failures.append("it differs")
            store.delete("key", made.id)

    def careful(store: FileStore) -> None:
        try:
            work(store)
        except Exception as error:  # noqa: BLE001 - told by the test
            failures.append(repr(error))

    threads = [threading.Thread(target=careful, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert contents(tmp_path) == [b"x"]


def test_an_owner_keeps_so_many_files_and_no_more(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassworks.serving.batches.files.MOST_FILES", 1)
    store.create("key", "a", "evals", b"")
    with pytest.raises(InputError, match="you keep 1 files"):
        store.create("key", "a", "evals", b"")
    store.create("other", "a", "evals", b"")


def test_what_is_linked_outlives_its_file(tmp_path: Path, store: FileStore) -> None:
    made, target = store.create("key", "a", "fine-tune", b"line\n"), tmp_path / "kept" / "a.jsonl"
    store.link(made, target)
    store.link(made, target)
    store.delete("key", made.id)
    assert target.read_bytes() == b"line\n"
    with pytest.raises(NotFound, match="was deleted"):
        store.link(made, tmp_path / "kept" / "b.jsonl")
