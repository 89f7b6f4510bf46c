"""The registry names, finds and verifies."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from glassworks.errors import (
    BundleError,
    InputError,
    NotFound,
    Tampered,
)
from glassworks.packaging.archive import pack_bundle
from glassworks.packaging.bundle import Bundle, write_bundle
from glassworks.registry import Registry


def _blobs(home: Path) -> list[Path]:
    return sorted(path for path in (home / "store/blobs").rglob("*") if path.is_file())


def test_a_published_bundle_comes_back(registry: Registry, home: Path, make: Callable[..., Bundle]) -> None:
    bundle = make()
    version = registry.publish(bundle)
    assert version.model_dump() == {
        "name": "digits",
        "version": 1,
        "bundle_sha256": bundle.sha256,
        "created_at": "2026-01-02T12:00:00+00:00",
        "parent": "",
        "aliases": (),
    }
    resolved = registry.resolve("digits")
    assert (resolved.name, resolved.version) == ("digits", 1)
    assert (resolved.bundle.manifest, resolved.bundle.sha256) == (bundle.manifest, bundle.sha256)
    assert resolved.bundle.folder == home / "bundles" / bundle.sha256
    assert resolved.bundle.artifact("predict").path.read_bytes() == b"graph"
    assert registry.manifest(version) == bundle.manifest
    assert registry.home == home
    with sqlite3.connect(home / "registry.db") as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()


def test_the_same_bundle_twice_shares_its_blobs(registry: Registry, home: Path, make: Callable[..., Bundle]) -> None:
    bundle = make()
    registry.publish(bundle)
    before = [(path, path.stat().st_mtime_ns) for path in _blobs(home)]
    assert len(before) == 3
    assert registry.publish(bundle).version == 2
    assert [(path, path.stat().st_mtime_ns) for path in _blobs(home)] == before


def test_references(registry: Registry, make: Callable[..., Bundle]) -> None:
    for content in (b"1", b"2", b"3"):
        registry.publish(make(content=content))
    registry.publish(make("reviews"))
    assert registry.models() == ("digits", "reviews")
    assert registry.resolve("digits").version == 3
    assert registry.set_alias("digits", 1, "champion").aliases == ("champion",)
    registry.set_alias("digits", 2, "candidate")
    registry.set_alias("digits", 2, "a-b_9")
    references = ("digits", "digits@champion", "digits@candidate", "digits@3")
    assert [registry.resolve(reference).version for reference in references] == [1, 1, 2, 3]
    assert [version.aliases for version in registry.versions("digits")] == [("champion",), ("a-b_9", "candidate"), ()]
    registry.set_alias("digits", 3, "champion")
    assert registry.resolve("digits").bundle.artifact("predict").path.read_bytes() == b"3"
    assert registry.find("digits@1").aliases == ()


def test_what_is_not_there_is_refused_with_what_is(registry: Registry, make: Callable[..., Bundle]) -> None:
    with pytest.raises(NotFound, match=r"no model 'digits'\nmend: the registry in .* is empty: make a model with"):
        registry.resolve("digits")
    registry.publish(make())
    registry.publish(make("reviews"))
    registry.set_alias("digits", 1, "champion")
    for reference, expected in (
        ("digts", r"no model 'digts'\nmend: did you mean digits\?"),
        ("zebra@2", r"no model 'zebra'\nmend: models: digits, reviews"),
        ("digits@7", r"'digits' has no version 7\nmend: versions: 1; aliases: champion"),
        ("digits@999999999", "has no version 999999999"),
        ("digits@champoin", r"no alias 'champoin'\nmend: did you mean digits@champion\? versions: 1"),
        ("./nowhere", r"no bundle at nowhere\nmend: give the path of a bundle's folder"),
        ("nowhere.glass", "no bundle at nowhere.glass"),
    ):
        with pytest.raises(NotFound, match=expected):
            registry.resolve(reference)
    with pytest.raises(NotFound, match="has no version 2"):
        registry.set_alias("digits", 2, "champion")
    with pytest.raises(NotFound, match="no model 'gone'"):
        registry.publish(make(), parent="gone@1")


@pytest.mark.parametrize("alias", ["3", "", "Champion", "-a", "a b", "a@b", "冠军", "a\n", "9a"])
def test_an_alias_is_a_word(registry: Registry, make: Callable[..., Bundle], alias: str) -> None:
    registry.publish(make())
    with pytest.raises(InputError, match=r"is not an alias\nmend: use lower-case letters"):
        registry.set_alias("digits", 1, alias)


@pytest.mark.parametrize("name", ["", "Digits", "a b", "..", "../x", "a" * 64, "@1", "数字"])
def test_a_name_is_checked_before_anything_is_written(
    registry: Registry, home: Path, make: Callable[..., Bundle], name: str, tmp_path: Path
) -> None:
    bundle = make()
    renamed = write_bundle(bundle.folder, bundle.manifest.model_copy(update={"name": name}))
    with pytest.raises(InputError, match=r"is not a model's name\nmend: use at most 63"):
        registry.publish(renamed)
    assert not home.exists()


def test_lineage_follows_parents(registry: Registry, make: Callable[..., Bundle]) -> None:
    registry.publish(make("base"))
    registry.publish(make(), parent="base")
    last = registry.publish(make(), parent="digits@1")
    assert last.parent == "digits@1"
    line = registry.lineage("digits", 2)
    assert [version.reference for version in line] == ["digits@2", "digits@1", "base@1"]


def test_a_bundle_is_served_by_its_path_without_a_database(
    registry: Registry,
    home: Path,
    make: Callable[..., Bundle],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bundle = make()
    archive = pack_bundle(bundle, tmp_path / "b.glass")
    resolved = registry.resolve(str(bundle.folder))
    assert (resolved.bundle, resolved.name, resolved.version) == (bundle, "digits", None)
    monkeypatch.chdir(tmp_path)
    assert registry.resolve(bundle.folder.name).bundle == bundle
    assert not home.exists()
    unpacked = registry.resolve("b.glass")
    assert (unpacked.bundle.sha256, unpacked.version) == (bundle.sha256, None)
    assert registry.resolve(str(archive)).bundle.folder == unpacked.bundle.folder
    assert [path.name for path in home.iterdir()] == ["unpacked"]
    archive.write_bytes(archive.read_bytes().replace(b"graph", b"grapi"))
    with pytest.raises(Tampered, match=r"'model.onnx' is damaged"):
        registry.resolve("b.glass")
    archive.write_bytes(b"nothing like it")
    with pytest.raises(BundleError, match="is not a whole zip archive"):
        registry.resolve("b.glass")
    assert len(list((home / "unpacked").iterdir())) == 1


def test_importing_it_loads_no_database() -> None:
    code = "import sys, glassworks.registry as r; r.Registry.open({}); sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
