"""The bundle: a folder whose manifest names and hashes every file in it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from glassworks.contracts import Artifact, Opened
from glassworks.errors import BundleError, NotFound, StorageError, Tampered, UnsafePath, Unsupported
from glassworks.packaging.manifest import MANIFEST_FILE, MAX_MANIFEST_BYTES, Manifest, check_path, from_json, to_json
from glassworks.packaging.verified import LARGE_BYTES, Verified
from glassworks.storage import write_atomically

_UNTRUSTED = "do not use it: fetch the bundle again from where it came, or package the model again"


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A verified bundle. `sha256` is that of its manifest's bytes, which cover every file."""

    folder: Path
    manifest: Manifest
    sha256: str

    def artifact(self, role: str) -> Opened:
        """The artifact of a role with its folder. Raises Unsupported naming what there is."""
        return Opened(artifact=self._find(role), folder=self.folder)

    def artifact_sha256(self, role: str) -> str:
        """SHA-256 of the file of the artifact of a role. Raises Unsupported naming what there is."""
        return self.manifest.files[self._find(role).file]

    def _find(self, role: str) -> Artifact:
        for artifact in self.manifest.artifacts:
            if artifact.role == role:
                return artifact
        roles = ", ".join(artifact.role for artifact in self.manifest.artifacts) or "nothing"
        raise Unsupported(
            f"the bundle '{self.manifest.name}' holds no '{role}' artifact",
            f"it holds: {roles}; package the model again for another",
        )


def write_bundle(folder: Path, manifest: Manifest) -> Bundle:
    """Hash every file of `folder` and write its manifest last, all or nothing.

    `manifest.files` is filled in here. Raises NotFound, UnsafePath, BundleError and StorageError.
    """
    folder = _existing(folder)
    with reading(folder):
        for left_by_a_killed_process in folder.glob(f".{MANIFEST_FILE}.*.partial"):
            left_by_a_killed_process.unlink()
        files = {name: _sha256(folder / name) for name in _walk(folder) if name != MANIFEST_FILE}
    content = to_json(manifest.model_copy(update={"files": dict(sorted(files.items()))}))
    written = from_json(content, str(folder))
    if len(content) > MAX_MANIFEST_BYTES:
        raise BundleError(_too_long(folder), "put long lists into a file of the bundle instead")
    write_atomically(folder / MANIFEST_FILE, content)
    return Bundle(folder=folder, manifest=written, sha256=hashlib.sha256(content).hexdigest())


def read_bundle(path: Path, verify: bool = True, verified: Verified | None = None) -> Bundle:
    """Open the bundle in the folder `path`; every file is checked against its hash unless `verify` is False.

    Large files that `verified` knows are not read again.

    Raises NotFound, BundleError when it is no bundle, NewerFormat, UnsafePath for paths that leave it and for
    links, Tampered for a file that differs, is missing or is not listed, StorageError when the disk fails.
    """
    folder = _existing(path)
    with reading(folder):
        content = _manifest_bytes(folder)
        manifest = from_json(content, str(folder))
        _check_files(folder, manifest.files, verified, verify=verify)
    return Bundle(folder=folder, manifest=manifest, sha256=hashlib.sha256(content).hexdigest())


def tampered(name: str, where: str) -> Tampered:
    """The error for a file whose content is not what the manifest recorded."""
    return Tampered(f"{where}: the file '{name}' differs from its recorded SHA-256", _UNTRUSTED)


def _check_files(folder: Path, files: Mapping[str, str], verified: Verified | None, *, verify: bool) -> None:
    """Compare what lies in `folder` with what its manifest lists. Raises UnsafePath, Tampered and OSError."""
    present = set(_walk(folder)) - {MANIFEST_FILE}
    for name in sorted(files.keys() - present):
        raise Tampered(f"{folder}: the file '{name}' is missing", _UNTRUSTED)
    for name in sorted(present - files.keys()):
        raise Tampered(f"{folder}: the file '{name}' is not listed in the manifest", _UNTRUSTED)
    if not verify:
        return
    unknown = [name for name in sorted(files) if verified is None or not verified.knows(folder / name, files[name])]
    marks = verified.marks(folder, unknown) if verified is not None else {}
    found = _hashes(folder, unknown)
    for name in unknown:
        if found[name] != files[name]:
            raise tampered(name, str(folder))
    if verified is not None:
        verified.note(folder, files, marks)


def _hashes(folder: Path, names: Sequence[str]) -> Mapping[str, str]:
    """SHA-256 of files; large ones on all cores, since hashing lets others compute."""
    sizes = {name: (folder / name).stat().st_size for name in names}
    if sum(sizes.values()) < LARGE_BYTES:
        return {name: _sha256(folder / name) for name in names}
    largest_first = sorted(names, key=lambda name: -sizes[name])
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        hashed = pool.map(lambda name: _sha256(folder / name), largest_first)
        return dict(zip(largest_first, hashed, strict=True))


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns an unreadable file into a StorageError."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot read {error.filename or path}: {error.strerror}", "make the bundle's files readable"
        ) from error


def _existing(path: Path) -> Path:
    if not path.exists():
        raise NotFound(f"there is no bundle at {path}", "give the path of a bundle's folder")
    if not path.is_dir():
        raise BundleError(f"{path} is a file, not a bundle's folder", "give a folder, or a .glass file to unpack")
    # The path to a bundle may have links; inside it there are none.
    return path.resolve()


def _manifest_bytes(folder: Path) -> bytes:
    path = folder / MANIFEST_FILE
    if path.is_symlink():
        raise UnsafePath(f"{path} is a link", _UNTRUSTED)
    if not path.is_file():
        raise BundleError(f"{folder} is not a bundle: it holds no {MANIFEST_FILE}", "give the folder of a bundle")
    with path.open("rb") as file:
        content = file.read(MAX_MANIFEST_BYTES + 1)
    if len(content) > MAX_MANIFEST_BYTES:
        raise BundleError(_too_long(folder), _UNTRUSTED)
    return content


def _too_long(folder: Path) -> str:
    return f"the manifest of {folder} is longer than {MAX_MANIFEST_BYTES} bytes"


def _walk(folder: Path) -> Iterator[str]:
    """Relative POSIX paths of all files; links and devices are refused, never followed."""
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        with os.scandir(folder / prefix) as entries:
            for entry in entries:
                name = check_path(f"{prefix}{entry.name}", str(folder))
                mode = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISDIR(mode):
                    waiting.append(f"{name}/")
                elif stat.S_ISREG(mode):
                    yield name
                else:
                    kind = "a link" if stat.S_ISLNK(mode) else "not a regular file"
                    raise UnsafePath(f"{folder}: '{name}' is {kind}", _UNTRUSTED)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
