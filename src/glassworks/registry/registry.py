"""The registry: publish bundles as versions of a model, and find them by name, alias or path."""

from __future__ import annotations

import difflib
import functools
import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from glassworks.errors import NotFound, RegistryError, Tampered
from glassworks.locations import home_of
from glassworks.packaging.archive import unpack_bundle
from glassworks.packaging.bundle import Bundle, read_bundle, reading
from glassworks.packaging.manifest import MANIFEST_FILE, Manifest
from glassworks.packaging.verified import Verified
from glassworks.record import Record
from glassworks.registry.records import (
    CHAMPION,
    Alias,
    Head,
    Resolved,
    Version,
    check_alias,
    check_name,
    split_reference,
)
from glassworks.registry.store import BlobStore
from glassworks.storage import storage_errors

if TYPE_CHECKING:
    from glassworks.registry.database import Database

_SHOWN = 20
_R = TypeVar("_R", bound=Record)


class Registry:
    """Names, versions, aliases and lineage. Nothing is opened or created before it is needed."""

    def __init__(self, home: Path, database: Path | str, store: str, clock: Callable[[], datetime]) -> None:
        self._home, self._database_at, self._store_url, self._clock = home, database, store, clock

    @classmethod
    def open(
        cls, environ: Mapping[str, str] = os.environ, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> Registry:
        """The registry that GLASSWORKS_HOME, GLASSWORKS_DATABASE and GLASSWORKS_STORE name."""
        home = home_of(environ)
        database = environ.get("GLASSWORKS_DATABASE") or home / "registry.db"
        return cls(home, database, environ.get("GLASSWORKS_STORE") or str(home / "store"), clock)

    @property
    def home(self) -> Path:
        """The folder of the default database and store, and of the cache of bundles."""
        return self._home

    @property
    def database(self) -> Path | str:
        """Where versions and runs are kept: the file of a SQLite database, or a URL."""
        if isinstance(self._database_at, Path):
            with storage_errors(self._database_at):
                self._database_at.parent.mkdir(parents=True, exist_ok=True)
        return self._database_at

    def publish(self, bundle: Bundle, parent: str = "") -> Version:
        """Store a bundle as the next version of its name; readers see all of it or nothing.

        `parent` is a reference to the version it was made from. Raises InputError for the bundle's name,
        NotFound for the parent, Tampered, RegistryError and StorageError.
        """
        draft = Version(
            name=check_name(bundle.manifest.name),
            version=0,
            bundle_sha256=bundle.sha256,
            created_at=self._clock().astimezone(UTC).isoformat(),
            parent=self.find(parent).reference if parent else "",
        )
        self._store.put_bundle(bundle)
        return self._database.add(draft, self._keep_version)

    def resolve(self, reference: str) -> Resolved:
        """The verified bundle of `name`, `name@3`, `name@champion`, or of a path to a bundle.

        `name` is its champion, else its newest version. A path has a separator, ends in `.glass`, or is a
        folder here that holds a manifest. Raises NotFound, InputError, BundleError, RegistryError, StorageError.
        """
        path = Path(reference).expanduser()
        if _is_path(reference, path):
            bundle = self._unpacked(path) if path.is_file() else read_bundle(path, verified=self._verified)
            return Resolved(bundle=bundle, name=bundle.manifest.name, version=None)
        version = self.find(reference)
        return Resolved(bundle=self._materialized(version), name=version.name, version=version.version)

    def find(self, reference: str) -> Version:
        """The version that `name`, `name@3` or `name@champion` refers to. Raises InputError and NotFound."""
        name, wanted = split_reference(reference)
        versions = self.versions(name)
        if wanted is None:
            return next((each for each in versions if CHAMPION in each.aliases), versions[-1])
        for version in versions:
            if wanted == version.version or wanted in version.aliases:
                return version
        raise _no_version(name, wanted, versions)

    def models(self) -> tuple[str, ...]:
        """The names of all models, sorted."""
        return self._database.names()

    def heads(self, names: Sequence[str]) -> tuple[Head, ...]:
        """What lists show of models, all at once; names that are none are left out."""
        return self._database.heads(names)

    def versions(self, name: str) -> tuple[Version, ...]:
        """All versions of a model, the oldest first. Raises NotFound naming near misses."""
        versions = self._database.versions(check_name(name))
        if not versions:
            raise self._no_model(name)
        return versions

    def manifest(self, version: Version) -> Manifest:
        """What the bundle of a version says about itself, without its files."""
        return self._store.manifest(version.bundle_sha256)

    def file(self, version: Version, name: str) -> bytes:
        """A small file of the bundle of a version. Raises NotFound, Tampered and StorageError."""
        sha256 = self.manifest(version).files.get(name)
        if sha256 is None:
            raise NotFound(f"the bundle of {version.reference} holds no {name}", "package the model again")
        return self._store.read(sha256, name)

    def size_bytes(self, manifest: Manifest) -> int:
        """What all files of a stored bundle take. Raises Tampered and StorageError."""
        return self._store.size_bytes(set(manifest.files.values()))

    def set_alias(self, name: str, version: int, alias: str) -> Version:
        """Let `alias` name a version from now on. Raises InputError and NotFound."""
        check_alias(alias)
        self.find(f"{check_name(name)}@{version}")
        self._database.point(Alias(name=name, alias=alias, version=version), self._keep_alias)
        return self.find(f"{name}@{version}")

    def remove_alias(self, name: str, alias: str) -> Version:
        """Let `alias` name no version any more; the one that it named. Raises InputError and NotFound."""
        version = self.find(f"{check_name(name)}@{check_alias(alias)}")
        self._database.unpoint(name, alias, lambda: self._store.drop_record(_alias_record(name, alias)))
        return version

    def lineage(self, name: str, version: int) -> tuple[Version, ...]:
        """A version, its parent, the parent's parent and so on. Raises NotFound."""
        line = [self.find(f"{name}@{version}")]
        while line[-1].parent and line[-1].parent not in {each.reference for each in line}:
            line.append(self.find(line[-1].parent))
        return tuple(line)

    @functools.cached_property
    def _store(self) -> BlobStore:
        return BlobStore(self._store_url)

    @functools.cached_property
    def _database(self) -> Database:
        from glassworks.registry.database import Database

        self._make(self._home)
        database = Database(self._database_at, self._store.url)
        if not database.names():
            # A lost or damaged database that was moved away comes back from the records beside the blobs.
            versions, aliases = self._records("versions", Version), self._records("aliases", Alias)
            database.restore(versions, aliases)
        return database

    def _records(self, folder: str, record: type[_R]) -> Iterable[_R]:
        try:
            return [record.model_validate_json(content) for content in self._store.records(folder)]
        except ValidationError as error:
            raise RegistryError(
                f"a record under {folder} in the store {self._store_url} is malformed: {error.errors()[0]['msg']}",
                "remove that file; the other versions are then restored",
            ) from error

    def _keep_version(self, version: Version) -> None:
        content = version.model_dump_json().encode()
        self._store.put_record(f"versions/{version.name}/{version.version}.json", content)

    def _keep_alias(self, alias: Alias) -> None:
        self._store.put_record(_alias_record(alias.name, alias.alias), alias.model_dump_json().encode())

    def _materialized(self, version: Version) -> Bundle:
        folder = self._home / "bundles" / version.bundle_sha256
        if not folder.exists():
            self._fill(folder, lambda beside: self._store.get_bundle(version.bundle_sha256, beside))
        bundle = _read_cached(folder, self._verified)
        if bundle.sha256 != version.bundle_sha256:
            raise _changed(f"{folder} is not the bundle of {version.reference}", folder)
        return bundle

    def _unpacked(self, path: Path) -> Bundle:
        with reading(path), path.open("rb") as file:
            folder = self._home / "unpacked" / hashlib.file_digest(file, "sha256").hexdigest()
        if not folder.exists():
            self._fill(folder, lambda beside: unpack_bundle(path, beside))
        return _read_cached(folder, self._verified)

    def _fill(self, folder: Path, write: Callable[[Path], object]) -> None:
        """Let `write` make the folder beside its place; it appears whole or not at all."""
        self._make(folder.parent)
        beside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.partial")
        with storage_errors(folder):
            try:
                write(beside)
                beside.rename(folder)
            except OSError:
                # Another process may have been quicker: then its folder is read, and verified.
                if not (folder / MANIFEST_FILE).exists():
                    raise
            finally:
                shutil.rmtree(beside, ignore_errors=True)

    @property
    def _verified(self) -> Verified:
        return Verified(self._home / "verified")

    def _make(self, folder: Path) -> None:
        with storage_errors(folder):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except (FileExistsError, NotADirectoryError) as error:
                raise RegistryError(
                    f"{self._home} cannot be the home of the registry: a file is in its place",
                    "set GLASSWORKS_HOME to a folder",
                ) from error

    def _no_model(self, name: str) -> NotFound:
        names = self.models()
        near = difflib.get_close_matches(name, names, n=3)
        if near:
            mend = f"did you mean {' or '.join(near)}?"
        elif names:
            more = ", ..." if len(names) > _SHOWN else ""
            mend = f"models: {', '.join(names[:_SHOWN])}{more}"
        else:
            mend = f"the registry in {self._home} is empty: make a model with glassworks up JOB.toml"
        return NotFound(f"there is no model '{name}'", mend)


def _alias_record(name: str, alias: str) -> str:
    return f"aliases/{name}/{alias}.json"


def _is_path(reference: str, path: Path) -> bool:
    separated = "/" in reference or os.sep in reference or reference in (".", "..")
    return separated or path.suffix == ".glass" or (path / MANIFEST_FILE).is_file()


def _read_cached(folder: Path, verified: Verified) -> Bundle:
    try:
        return read_bundle(folder, verified=verified)
    except Tampered as error:
        raise _changed(error.problem, folder) from error


def _changed(problem: str, folder: Path) -> Tampered:
    return Tampered(problem, f"find out who changed it, then remove {folder}: it is made again from its source")


def _no_version(name: str, wanted: int | str, versions: Sequence[Version]) -> NotFound:
    numbers = ", ".join(str(each.version) for each in versions[-_SHOWN:])
    aliases = sorted(alias for each in versions for alias in each.aliases)
    near = difflib.get_close_matches(str(wanted), aliases, n=1)
    what = f"version {wanted}" if isinstance(wanted, int) else f"alias '{wanted}'"
    mend = f"versions: {numbers}; aliases: {', '.join(aliases) or 'none'}"
    return NotFound(f"the model '{name}' has no {what}", f"did you mean {name}@{near[0]}? {mend}" if near else mend)
