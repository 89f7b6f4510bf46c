"""The blob store: content addressed, through fsspec, so that a folder and an object store are the same."""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from glassworks.errors import InputError, MissingLibrary, RegistryError, Tampered
from glassworks.packaging.bundle import Bundle, reading, tampered
from glassworks.packaging.manifest import MANIFEST_FILE, MAX_MANIFEST_BYTES, Manifest, from_json
from glassworks.storage import hard_linked, storage_errors

_CHUNK_BYTES = 2**20
_DAMAGED = "publish the bundle again: its damaged blobs are then written anew"


class BlobStore:
    """Blobs by their SHA-256, and small named records beside them. Nothing half-written has a final name."""

    def __init__(self, url: str) -> None:
        """Raises InputError for a URL of no known kind and MissingLibrary for one without its library."""
        from fsspec.core import url_to_fs

        try:
            self._fs, root = url_to_fs(url)
        except ValueError as error:
            raise InputError(
                f"GLASSWORKS_STORE is '{url}': {error}", "give a folder or a URL, such as s3://bucket/glassworks"
            ) from error
        except ImportError as error:
            raise MissingLibrary(
                f"the store {url} needs a library: {error}", f"pip install 'fsspec[{url.partition(':')[0]}]'"
            ) from error
        self._root = str(root).rstrip("/")
        self.url = url

    def put_bundle(self, bundle: Bundle) -> None:
        """Store every file of the bundle and its manifest last. Raises Tampered and StorageError."""
        for name, sha256 in sorted(bundle.manifest.files.items()):
            self._put(bundle.folder / name, name, sha256)
        self._put(bundle.folder / MANIFEST_FILE, MANIFEST_FILE, bundle.sha256)

    def get_bundle(self, sha256: str, folder: Path) -> None:
        """Write the bundle's files into the new `folder`. Raises Tampered and StorageError."""
        folder.mkdir(parents=True)
        self._get(sha256, folder / MANIFEST_FILE, MANIFEST_FILE)
        for name, file_sha256 in sorted(self.manifest(sha256).files.items()):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            self._get(file_sha256, folder / name, name)

    def manifest(self, sha256: str) -> Manifest:
        """The manifest of a stored bundle. Raises Tampered, BundleError and StorageError."""
        with self._errors(), self._opened(sha256, MANIFEST_FILE) as source:
            content = source.read(MAX_MANIFEST_BYTES + 1)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise self._tampered(sha256, MANIFEST_FILE)
        return from_json(content, f"blob {sha256}")

    def read(self, sha256: str, name: str) -> bytes:
        """A small file of a bundle. Raises Tampered and StorageError."""
        with self._errors(), self._opened(sha256, name) as source:
            content = source.read(MAX_MANIFEST_BYTES + 1)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise self._tampered(sha256, name)
        return content

    def size_bytes(self, files: Iterable[str]) -> int:
        """What blobs take together. Raises Tampered for one that is missing, and StorageError."""
        with self._errors():
            try:
                return sum(int(self._fs.size(self._blob(sha256))) for sha256 in files)
            except FileNotFoundError as error:
                raise Tampered(f"a blob is missing from {self.url}: {error}", _DAMAGED) from error

    def drop_record(self, path: str) -> None:
        """Remove a small file, if it is there. Raises StorageError."""
        with self._errors():
            if self._fs.exists(f"{self._root}/{path}"):
                self._fs.rm_file(f"{self._root}/{path}")

    def put_record(self, path: str, content: bytes) -> None:
        """Replace a small file at `path` in the store. Raises StorageError."""
        with self._writing(f"{self._root}/{path}") as target:
            target.write(content)

    def records(self, folder: str) -> Iterator[bytes]:
        """The contents of all small files under `folder`, which need not exist. Raises StorageError."""
        with self._errors():
            for path in sorted(self._fs.find(f"{self._root}/{folder}")):
                if path.endswith(".json"):
                    yield self._fs.cat_file(path)

    def _blob(self, sha256: str) -> str:
        return f"{self._root}/blobs/{sha256[:2]}/{sha256}"

    def _put(self, source: Path, name: str, sha256: str) -> None:
        if self._holds(sha256):
            return
        digest = hashlib.sha256()
        with reading(source), source.open("rb") as file, self._writing(self._blob(sha256)) as target:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                target.write(chunk)
            if digest.hexdigest() != sha256:
                raise tampered(name, str(source.parent))

    def _holds(self, sha256: str) -> bool:
        """Whether the blob is there and whole: a damaged one must not be shared, it is written anew."""
        with self._errors():
            if not self._fs.exists(self._blob(sha256)):
                return False
            digest = hashlib.sha256()
            with self._fs.open(self._blob(sha256), "rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    digest.update(chunk)
            return digest.hexdigest() == sha256

    def _get(self, sha256: str, target: Path, name: str) -> None:
        """A large file in a folder of this machine is the blob under a second name."""
        digest = hashlib.sha256()
        with self._opened(sha256, name) as source, self._written(sha256, target) as file:
            while chunk := source.read(_CHUNK_BYTES):
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != sha256:
            raise self._tampered(sha256, name)

    def _written(self, sha256: str, target: Path) -> IO[bytes]:
        """Where the blob's bytes go: into `target`, or nowhere where they are there already."""
        if "file" in self._protocols() and hard_linked(Path(self._blob(sha256)), target):
            return Path(os.devnull).open("wb")
        return target.open("xb")

    @contextlib.contextmanager
    def _opened(self, sha256: str, name: str) -> Iterator[IO[bytes]]:
        try:
            file = self._fs.open(self._blob(sha256), "rb")
        except FileNotFoundError as error:
            raise Tampered(f"the blob of '{name}' is missing from {self.url}: {sha256}", _DAMAGED) from error
        with file:
            yield file

    @contextlib.contextmanager
    def _writing(self, path: str) -> Iterator[Any]:
        """A file that gets its final name when everything was written, and none when not."""
        beside = f"{path}.{uuid.uuid4().hex}.partial"
        with self._errors():
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            try:
                with self._fs.open(beside, "wb") as file:
                    yield file
                    if "file" in self._protocols():
                        file.flush()
                        os.fsync(file.fileno())
                self._fs.mv(beside, path)
            except BaseException:
                if self._fs.exists(beside):
                    self._fs.rm_file(beside)
                raise

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        with storage_errors(Path(self._root)):
            try:
                yield
            except (FileExistsError, NotADirectoryError) as error:
                raise RegistryError(
                    f"the store {self.url} is not a folder: {error}",
                    "set GLASSWORKS_STORE or GLASSWORKS_HOME to a folder",
                ) from error

    def _protocols(self) -> tuple[str, ...]:
        protocol: str | tuple[str, ...] = self._fs.protocol
        return (protocol,) if isinstance(protocol, str) else protocol

    def _tampered(self, sha256: str, name: str) -> Tampered:
        return Tampered(f"the blob of '{name}' in {self.url} differs from its SHA-256: {sha256}", _DAMAGED)
