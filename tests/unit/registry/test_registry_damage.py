"""Damage, full disks and wrong settings are reported, and nothing is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from glassworks.errors import (
    InputError,
    MissingLibrary,
    RegistryError,
    StorageError,
    Tampered,
)
from glassworks.packaging.bundle import Bundle, read_bundle, write_bundle
from glassworks.registry import Registry, Version
from glassworks.registry.database import Database
from glassworks.registry.store import BlobStore


@pytest.mark.parametrize("damage", [b"", b"graph?", b"graqh"])
def test_a_damaged_blob_is_refused_and_healed_by_publishing(
    registry: Registry, home: Path, make: Callable[..., Bundle], damage: bytes
) -> None:
    bundle = make()
    registry.publish(bundle)
    for name, sha256 in (("model.onnx", bundle.manifest.files["model.onnx"]), ("manifest.json", bundle.sha256)):
        blob = home / "store/blobs" / sha256[:2] / sha256
        blob.write_bytes(damage)
        with pytest.raises(Tampered, match=rf"blob of '{name}' in .* differs .*: {sha256}\nmend: publish the bundle"):
            registry.resolve("digits@1")
        assert list((home / "bundles").iterdir()) == []
        blob.unlink()
        with pytest.raises(Tampered, match=rf"blob of '{name}' is missing from"):
            registry.resolve("digits@1")
        blob.write_bytes(damage)
        registry.publish(bundle)
    assert registry.resolve("digits@1").bundle.manifest == bundle.manifest


def test_another_process_may_be_quicker_to_fill_the_cache(
    registry: Registry, home: Path, make: Callable[..., Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = make()
    registry.publish(bundle)
    original = BlobStore.get_bundle

    def beaten(store: BlobStore, sha256: str, folder: Path) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(BlobStore, "get_bundle", original)
            Registry.open({"GLASSWORKS_HOME": str(home)}).resolve("digits")
        original(store, sha256, folder)

    monkeypatch.setattr(BlobStore, "get_bundle", beaten)
    assert registry.resolve("digits").bundle.sha256 == bundle.sha256
    assert [path.name for path in (home / "bundles").iterdir()] == [bundle.sha256]


def test_a_changed_cache_is_refused(registry: Registry, make: Callable[..., Bundle]) -> None:
    registry.publish(make())
    folder = registry.resolve("digits").bundle.folder
    (folder / "model.onnx").write_bytes(b"graqh")
    with pytest.raises(
        Tampered, match=rf"'model.onnx' differs .*\nmend: find out who changed it, then remove {folder}"
    ):
        registry.resolve("digits")
    # An intruder who also rewrites the manifest is found by the name of the folder.
    write_bundle(folder, read_bundle(folder, verify=False).manifest)
    with pytest.raises(Tampered, match=r"is not the bundle of digits@1"):
        registry.resolve("digits")


def test_a_bundle_that_changed_before_publishing_is_refused(
    registry: Registry, home: Path, make: Callable[..., Bundle]
) -> None:
    bundle = make()
    (bundle.folder / "model.onnx").write_bytes(b"graqh")
    with pytest.raises(Tampered, match=r"the file 'model.onnx' differs"):
        registry.publish(bundle)
    assert registry.models() == ()
    assert not [path for path in home.rglob("*") if path.name.endswith(".partial")]


@pytest.mark.parametrize("garbage", ["whole", "middle"])
def test_a_damaged_database_is_rebuilt_from_the_store(
    registry: Registry, home: Path, make: Callable[..., Bundle], garbage: str
) -> None:
    registry.publish(make("base"))
    registry.publish(make(), parent="base")
    registry.publish(make())
    registry.set_alias("digits", 1, "champion")
    database = home / "registry.db"
    before = {name: registry.versions(name) for name in registry.models()}
    size = database.stat().st_size
    if garbage == "whole":
        database.write_bytes(os.urandom(size))
    else:
        database.write_bytes(database.read_bytes()[:100] + b"\xff" * (size - 100))
    again = Registry.open({"GLASSWORKS_HOME": str(home)})
    with pytest.raises(RegistryError) as caught:
        again.resolve("digits")
    assert f"the registry's database {database} is damaged:" in caught.value.problem
    assert f"the bundles in {home / 'store'} are safe: move {database} away" in caught.value.mend
    database.rename(home / "damaged.db")
    rebuilt = Registry.open({"GLASSWORKS_HOME": str(home)})
    assert {name: rebuilt.versions(name) for name in rebuilt.models()} == before
    assert rebuilt.resolve("digits").version == 1
    assert rebuilt.publish(make()).version == 3


def test_a_malformed_record_is_reported(registry: Registry, home: Path, make: Callable[..., Bundle]) -> None:
    registry.publish(make())
    (home / "registry.db").unlink()
    (home / "store/versions/digits/1.json").write_text(json.dumps({"name": "digits"}))
    with pytest.raises(RegistryError, match=r"record under versions .* malformed: Field required\nmend: remove that"):
        Registry.open({"GLASSWORKS_HOME": str(home)}).models()


def test_a_home_that_is_a_file(registry: Registry, home: Path, make: Callable[..., Bundle]) -> None:
    home.write_text("")
    with pytest.raises(RegistryError, match=r"cannot be the home .* a file is in its place\nmend: set GLASSWORKS_HOME"):
        registry.models()
    with pytest.raises(RegistryError, match=r"is not a folder: .*\nmend: set GLASSWORKS_STORE or GLASSWORKS_HOME"):
        registry.publish(make())


def test_the_store_and_the_database_may_be_elsewhere(home: Path, tmp_path: Path, make: Callable[..., Bundle]) -> None:
    environ = {
        "GLASSWORKS_HOME": str(home),
        "GLASSWORKS_DATABASE": f"sqlite:///{tmp_path}/other.db",
        "GLASSWORKS_STORE": f"memory://{tmp_path.name}",
    }
    bundle = make()
    Registry.open(environ).publish(bundle)
    assert Registry.open(environ).resolve("digits").bundle.sha256 == bundle.sha256
    assert [path.name for path in home.iterdir()] == ["bundles"]
    (tmp_path / "other.db").unlink()
    assert Registry.open(environ).models() == ("digits",)


@pytest.mark.parametrize(
    ("environ", "error", "expected"),
    [
        ({"GLASSWORKS_STORE": "nosuch://x"}, InputError, "GLASSWORKS_STORE is 'nosuch://x'.*\nmend: give a folder"),
        ({"GLASSWORKS_DATABASE": "nonsense"}, InputError, "no database URL.*\nmend: give one such as postgresql"),
        ({"GLASSWORKS_DATABASE": "nosuch://x"}, InputError, "GLASSWORKS_DATABASE is no database URL"),
    ],
)
def test_wrong_settings_are_refused(environ: dict[str, str], error: type[Exception], expected: str, home: Path) -> None:
    with pytest.raises(error, match=expected):
        Registry.open({"GLASSWORKS_HOME": str(home), **environ}).models()


@pytest.mark.parametrize(
    ("module", "setting", "url"),
    [
        ("psycopg", "GLASSWORKS_DATABASE", "postgresql+psycopg://u:secret@host/x"),
        ("s3fs", "GLASSWORKS_STORE", "s3://b/x"),
    ],
)
def test_a_missing_driver_is_reported(
    module: str, setting: str, url: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingLibrary, match=r"needs .*\nmend: pip install") as caught:
        Registry.open({"GLASSWORKS_HOME": str(home), setting: url}).models()
    assert "secret" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere; see the read-only disk in tests/integration")
def test_a_home_that_is_not_writable_is_reported(registry: Registry, home: Path, make: Callable[..., Bundle]) -> None:
    home.mkdir(mode=0o555)
    with pytest.raises(StorageError, match=r"cannot be written: unable to open database file\nmend: free some space"):
        registry.models()
    with pytest.raises(StorageError, match=r"cannot write .*\nmend: make the folder writable"):
        registry.publish(make())


def test_a_file_that_cannot_be_read_is_reported(registry: Registry, make: Callable[..., Bundle]) -> None:
    bundle = make()
    (bundle.folder / "model.onnx").unlink()
    (bundle.folder / "model.onnx").mkdir()
    with pytest.raises(StorageError, match=r"cannot read .*model.onnx: Is a directory\nmend: make the bundle's files"):
        registry.publish(bundle)


def _child(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


FULL = """
import resource, sys
from glassworks.errors import StorageError
from glassworks.packaging.bundle import read_bundle
from glassworks.registry import Registry
from pathlib import Path
registry = Registry.open({"GLASSWORKS_HOME": sys.argv[1]})
registry.models()
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))
for call in (lambda: registry.publish(read_bundle(Path(sys.argv[2]))), lambda: registry.resolve("large")):
    try:
        call()
    except StorageError as error:
        sys.stdout.write(str(error) + "\\n")
"""


def test_a_full_disk_leaves_no_version_and_nothing_half_written(
    registry: Registry, home: Path, make: Callable[..., Bundle]
) -> None:
    registry.publish(make("large", b"0" * 100_000))
    done = _child(FULL, home, make(content=b"1" * 100_000).folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the disk is full\nmend: free some space") == 2
    assert registry.models() == ("large",)
    assert not [path for path in home.rglob("*") if path.name.endswith(".partial")]
    assert list((home / "bundles").iterdir()) == []


def test_a_record_that_cannot_be_kept_takes_the_version_back(
    registry: Registry, home: Path, make: Callable[..., Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.publish(make())

    def full(*_: object) -> None:
        raise StorageError("the disk is full", "free some space")

    with monkeypatch.context() as patch, pytest.raises(StorageError):
        patch.setattr("glassworks.registry.store.BlobStore.put_record", full)
        registry.publish(make())
    assert [version.version for version in registry.versions("digits")] == [1]
    assert registry.publish(make()).version == 2


def test_a_number_that_another_took_is_tried_again(tmp_path: Path) -> None:
    database = Database(tmp_path / "registry.db", "store")
    draft = Version(name="digits", version=0, bundle_sha256="0" * 64, created_at="now")
    attempts: list[Version] = []

    def taken(version: Version) -> None:
        attempts.append(version)
        if len(attempts) != 2:
            raise IntegrityError("INSERT", {}, Exception("UNIQUE"))

    assert database.add(draft, taken).version == 1
    with pytest.raises(RegistryError, match=r"others keep publishing 'digits' .*\nmend: publish it again"):
        database.add(draft, taken)
    assert [version.version for version in database.versions("digits")] == [1]
