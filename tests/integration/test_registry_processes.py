"""Many processes use one registry at once; a full disk is a real one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.patience import PATIENCE_S

from glassworks.contracts import Signature
from glassworks.errors import GlassworksError, StorageError
from glassworks.packaging.bundle import Bundle, write_bundle
from glassworks.packaging.manifest import Manifest
from glassworks.registry import Registry

PROCESSES, PUBLISHES = 4, 5

PUBLISH = f"""
import json, sys
from pathlib import Path
from glassworks.packaging.bundle import read_bundle
from glassworks.registry import Registry
bundle = read_bundle(Path(sys.argv[1]))
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
registry = Registry.open()
versions = []
for _ in range({PUBLISHES}):
    versions.append(registry.publish(bundle).version)
    found = registry.resolve("shared")
    assert found.bundle.sha256 == bundle.sha256 and found.version >= versions[-1], found
    registry.set_alias("shared", versions[-1], "latest")
json.dump(versions, sys.stdout)
"""


def _bundle(folder: Path, size: int = 1000) -> Bundle:
    folder.mkdir()
    (folder / "weights.bin").write_bytes(bytes(size))
    manifest = Manifest(name="shared", task="t", family="f", signature=Signature(inputs=(), outputs=()))
    return write_bundle(folder, manifest)


def test_processes_that_publish_at_once_get_consecutive_versions(tmp_path: Path) -> None:
    bundle = _bundle(tmp_path / "bundle")
    environ = {**os.environ, "GLASSWORKS_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", PUBLISH, str(bundle.folder)]
    pipe = subprocess.PIPE
    children = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environ)
        for _ in range(PROCESSES)
    ]
    # All stand ready before the first may begin: the database does not exist yet, and they race for it too.
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    answers = [child.communicate(timeout=PATIENCE_S) for child in children]
    assert [child.returncode for child in children] == [0] * PROCESSES, [errors for _, errors in answers]
    versions = [version for answer, _ in answers for version in json.loads(answer)]
    assert sorted(versions) == list(range(1, PROCESSES * PUBLISHES + 1))
    registry = Registry.open(environ)
    assert [version.version for version in registry.versions("shared")] == sorted(versions)
    assert registry.find("shared@latest").version in versions
    assert [path.name for path in (tmp_path / "home/bundles").iterdir()] == [bundle.sha256]


KILLED = """
import os, signal, sys
from pathlib import Path
from glassworks.packaging.bundle import read_bundle
from glassworks.registry import Registry
from glassworks.registry.store import BlobStore
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
setattr(BlobStore, sys.argv[2], die)
Registry.open().publish(read_bundle(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("moment", ["put_bundle", "put_record"])
def test_a_process_that_is_killed_while_publishing_leaves_no_version(tmp_path: Path, moment: str) -> None:
    bundle = _bundle(tmp_path / "bundle")
    environ = {**os.environ, "GLASSWORKS_HOME": str(tmp_path / "home")}
    done = subprocess.run([sys.executable, "-c", KILLED, str(bundle.folder), moment], env=environ, check=False)
    assert done.returncode == -signal.SIGKILL
    registry = Registry.open(environ)
    assert registry.models() == ()
    assert registry.publish(bundle).version == 1
    assert registry.resolve("shared@1").bundle.sha256 == bundle.sha256


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up_loses_nothing(small_disk: Path, tmp_path: Path) -> None:
    home = small_disk / "home"
    registry = Registry.open({"GLASSWORKS_HOME": str(home)})
    small, large = _bundle(tmp_path / "small"), _bundle(tmp_path / "large", 300_000)
    registry.publish(small)
    with pytest.raises(StorageError, match=r"the disk is full\nmend: free some space"):
        registry.publish(large)
    assert not list(home.rglob("*.partial"))
    assert [version.version for version in registry.versions("shared")] == [1]
    # Now to the last byte, so that the database itself finds no room.
    with (small_disk / "ballast").open("wb", buffering=0) as ballast:
        while _fits(ballast.fileno()):
            pass
    for call in (lambda: registry.publish(small), lambda: registry.resolve("shared")):
        with pytest.raises(GlassworksError) as caught:
            call()
        assert isinstance(caught.value, StorageError), caught.value
    (small_disk / "ballast").unlink()
    assert registry.resolve("shared").bundle.sha256 == small.sha256
    assert registry.publish(small).version == 2


def test_a_read_only_disk_is_told(small_disk: Path, tmp_path: Path) -> None:
    bundle = _bundle(tmp_path / "bundle")
    registry = Registry.open({"GLASSWORKS_HOME": str(small_disk / "home")})
    registry.publish(bundle)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for home in ("home", "other"):
        with pytest.raises(StorageError, match=r"Read-only file system\nmend: make the folder writable, or set GLASS"):
            Registry.open({"GLASSWORKS_HOME": str(small_disk / home)}).publish(_bundle(tmp_path / home, 2000))
    with pytest.raises(StorageError, match=r"registry.db cannot be written: .*\nmend: free some space and make"):
        registry.models()


def _fits(file: int) -> bool:
    try:
        return os.write(file, bytes(512)) > 0
    except OSError:
        return False
