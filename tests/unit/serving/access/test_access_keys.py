"""Keys are made, kept, found and revoked; their secrets are kept nowhere."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.patience import PATIENCE_S
from tests.unit.serving.access.hands import Hands

from glassworks.errors import InputError, NotFound, StorageError
from glassworks.serving.access.keys import KeyStore


def test_a_key_comes_back_as_it_was_made(store: KeyStore, home: Path, hands: Hands) -> None:
    key, secret = store.create(
        "shop",
        models=["digits", "reviews", "digits"],
        roles=("admin", "infer"),
        requests_per_s=2.5,
        requests_per_day=100,
        rows_per_day=1000,
        tokens_per_day=10_000,
        concurrent_streams=2,
        max_context=4096,
        expires_in_s=3600,
    )
    assert re.fullmatch(rf"gw_{key.id}_[A-Za-z0-9_-]{{43}}", secret)
    assert KeyStore(home, hands.clock).list() == (key,)
    assert key.model_dump(mode="json") == {
        "id": key.id,
        "name": "shop",
        "created_at": "2026-01-02T12:00:00Z",
        "expires_at": "2026-01-02T13:00:00Z",
        "revoked_at": None,
        "models": ["digits", "reviews"],
        "roles": ["infer", "admin"],
        "requests_per_s": 2.5,
        "requests_per_day": 100,
        "rows_per_day": 1000,
        "tokens_per_day": 10_000,
        "concurrent_streams": 2,
        "max_context": 4096,
    }


def test_a_key_is_found_by_its_whole_secret_only(store: KeyStore) -> None:
    key, secret = store.create("shop")
    _, other = store.create("bank")
    assert store.find(secret.encode()) == key
    for wrong in (secret[:-1], secret + "A", secret[:11] + other[11:], secret[:-1] + "~", "", "gw_", "x" * 55):
        assert store.find(wrong.encode()) is None, wrong


def test_reading_what_is_not_there_makes_nothing(store: KeyStore, home: Path) -> None:
    assert store.list() == ()
    assert store.find(b"gw_") is None
    with pytest.raises(NotFound, match="there is no key 'shop' that could be revoked\nmend: keys: none"):
        store.revoke("shop")
    assert not home.exists()


def test_the_files_are_for_their_owner_only_and_hold_no_secret(store: KeyStore, home: Path) -> None:
    secrets = [store.create(name)[1] for name in ("shop", "bank")]
    # An open reader keeps the log of SQLite in place, so that it is searched too.
    reader = sqlite3.connect(home / "access.db")
    reader.execute("SELECT * FROM keys").fetchall()
    store.revoke("bank")
    files = [path for path in home.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"access.db", "access.db-wal", "access.db-shm"}
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        content = path.read_bytes()
        assert not [secret for secret in secrets if secret[12:].encode() in content]
    reader.close()


def test_a_database_that_others_could_read_is_closed_to_them(store: KeyStore, home: Path, hands: Hands) -> None:
    store.create("shop")
    (home / "access.db").chmod(0o644)
    KeyStore(home, hands.clock).create("bank")
    assert stat.S_IMODE((home / "access.db").stat().st_mode) == 0o600


def test_nothing_that_can_be_shown_holds_a_secret_or_its_hash(store: KeyStore) -> None:
    key, secret = store.create("shop")
    (entry,) = store.entries()
    told = f"{key!r} {key} {entry!r} {entry} {key.model_dump_json()}"
    assert secret[12:] not in told
    assert repr(entry.secret_sha256) not in told
    assert entry.secret_sha256.hex() not in told


@pytest.mark.parametrize("put_wrong", ["revoke", "create"])
def test_a_secret_in_a_wrong_place_is_not_told(store: KeyStore, put_wrong: str) -> None:
    _, secret = store.create("shop")
    with pytest.raises((NotFound, InputError)) as caught:
        getattr(store, put_wrong)(secret)
    assert secret[12:] not in str(caught.value)
    assert f"'{secret[:11]}_...'" in caught.value.problem


def test_a_name_is_free_again_once_its_key_is_revoked(store: KeyStore, hands: Hands) -> None:
    first, _ = store.create("shop")
    with pytest.raises(InputError) as caught:
        store.create("shop")
    assert caught.value.problem == f"there is a key 'shop' already, with the id {first.id}"
    assert caught.value.mend == "give another name, or first: glassworks keys revoke shop"
    hands.turn(60)
    revoked = store.revoke("shop")
    assert (revoked.id, str(revoked.revoked_at)) == (first.id, "2026-01-02 12:01:00+00:00")
    second, _ = store.create("shop")
    hands.turn(60)
    assert store.revoke(first.id) == revoked
    assert [key.revoked_at is None for key in store.list()] == [False, True]
    assert store.revoke(second.id).id == second.id


@pytest.mark.parametrize("name", ["", "Shop", "a b", "0123abcd", "anonymous", "gw_x", "-", "a" * 64, "a\n"])
def test_a_name_that_would_confuse_is_refused(store: KeyStore, name: str) -> None:
    with pytest.raises(InputError) as caught:
        store.create(name)
    assert "cannot be a key's name" in caught.value.problem
    assert "63 lower-case letters" in caught.value.mend


def test_a_secret_in_place_of_a_model_is_not_kept(store: KeyStore) -> None:
    _, secret = store.create("shop")
    store.create("bank", models=[secret])
    assert secret[12:] not in repr(store.entries())


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), 2**80])
@pytest.mark.parametrize("limit", ["requests_per_s", "requests_per_day", "rows_per_day", "expires_in_s"])
def test_a_limit_that_is_none_is_refused(store: KeyStore, limit: str, value: float) -> None:
    with pytest.raises(InputError) as caught:
        store.create("shop", **{limit: value})  # type: ignore[arg-type]
    if limit == "expires_in_s":
        assert (caught.value.problem, caught.value.mend) == (
            f"a key cannot expire in {value} s",
            "give a time to come, such as 30d, or none",
        )
    else:
        assert caught.value.problem.startswith(f"{limit} cannot be {value!r}")
        assert caught.value.mend.startswith("give a positive number or leave a limit out")
    assert store.list() == ()


def test_a_key_that_may_do_nothing_is_refused(store: KeyStore) -> None:
    with pytest.raises(InputError, match="roles cannot be"):
        store.create("shop", roles=())


def test_the_stamp_tells_changes_and_reading_is_none(store: KeyStore, home: Path, hands: Hands) -> None:
    other = KeyStore(home, hands.clock)
    stamps = [store.stamp()]
    for change in (lambda: other.create("shop"), lambda: other.create("bank"), lambda: other.revoke("shop")):
        change()
        stamps.append(store.stamp())
        store.list()
        assert store.stamp() == stamps[-1]
    assert len(set(stamps)) == 4


def test_a_damaged_database_is_told(store: KeyStore, home: Path) -> None:
    store.create("shop")
    (home / "access.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StorageError) as caught:
        store.list()
    assert "access.db cannot be read: file is not a database" in caught.value.problem
    assert "move it away" in caught.value.mend


def test_a_home_that_is_a_file_is_told(tmp_path: Path, hands: Hands) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file/access\.db: File exists"):
        KeyStore(tmp_path / "file", hands.clock).create("shop")


CREATE = """
import sys
from pathlib import Path
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.keys import KeyStore
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
for number in range(5):
    KeyStore(Path(sys.argv[1]), Clock()).create(f"{sys.argv[2]}-{number}")
"""


def test_processes_that_create_keys_at_once_lose_none(store: KeyStore, home: Path) -> None:
    pipe = subprocess.PIPE
    with contextlib.ExitStack() as stack:
        children = [
            stack.enter_context(
                subprocess.Popen([sys.executable, "-c", CREATE, str(home), name], stdin=pipe, stdout=pipe, text=True)
            )
            for name in ("shop", "bank", "farm")
        ]
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        assert [child.wait(timeout=PATIENCE_S) for child in children] == [0, 0, 0]
    names = {f"{name}-{number}" for name in ("shop", "bank", "farm") for number in range(5)}
    assert {key.name for key in store.list()} == names
