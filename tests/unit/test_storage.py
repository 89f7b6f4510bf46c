"""Processes that open the same new database at once wait for one another; large files are kept once."""

from __future__ import annotations

import errno
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from tests.patience import PATIENCE_S

from glassworks import storage
from glassworks.storage import linked, write_ahead


def _holder(file: Path) -> sqlite3.Connection:
    """A connection that is about to write a file without a log: nobody can switch it meanwhile."""
    holder = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    holder.execute("CREATE TABLE there (value)")
    holder.execute("BEGIN IMMEDIATE")
    return holder


def test_it_waits_for_who_holds_the_file(tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    with closing(_holder(file)) as holder, closing(sqlite3.connect(file, timeout=PATIENCE_S)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            connection.execute("PRAGMA journal_mode=WAL")  # SQLite alone does not wait so long
        release = threading.Timer(0.2, lambda: holder.execute("COMMIT"))
        release.start()
        write_ahead(connection)
        release.join()
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_it_gives_up_when_the_time_is_over(tmp_path: Path) -> None:
    file = tmp_path / "held.db"
    with (
        closing(_holder(file)),
        closing(sqlite3.connect(file, timeout=0.05)) as connection,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        write_ahead(connection)


def test_other_failures_pass_at_once(tmp_path: Path) -> None:
    file = tmp_path / "broken.db"
    file.write_bytes(b"no database" * 1000)
    with closing(sqlite3.connect(file)) as connection, pytest.raises(sqlite3.DatabaseError, match="not a database"):
        write_ahead(connection)


def test_large_files_get_a_second_name_and_small_ones_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 1000)
    linked(source, tmp_path / "a" / "copy")
    assert not (tmp_path / "a" / "copy").samefile(source)
    monkeypatch.setattr(storage, "_LINKED_BYTES", 1000)
    linked(source, tmp_path / "b" / "second")
    assert (tmp_path / "b" / "second").samefile(source)
    monkeypatch.setattr(Path, "hardlink_to", _refuse)  # as between two disks
    linked(source, tmp_path / "c" / "copy")
    assert (tmp_path / "c" / "copy").read_bytes() == source.read_bytes()


def _refuse(self: Path, target: Path) -> None:
    raise OSError(errno.EXDEV, "Invalid cross-device link")
