"""Files that clients send and fetch: by their hash on the disk, each for its owner alone, until it expires."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from glassworks.errors import InputError, NotFound
from glassworks.serving.access.clock import Clock
from glassworks.serving.batches.database import BATCHES, FILES, BatchDatabase
from glassworks.serving.batches.records import ACTIVE, StoredFile
from glassworks.storage import storage_errors

MOST_BYTES, MOST_FILES = 8 * 2**30, 10_000
"""Of all files of one owner."""
_NAME_LENGTH = 255
_CHUNK_BYTES = 2**20


class FileStore:
    """The files in `batches.db` and the folder `files`, of any number of processes. Everything blocks for some
    milliseconds, and raises StorageError."""

    def __init__(self, home: Path, clock: Clock, most_bytes: int = MOST_BYTES) -> None:
        self._database, self._clock, self._most_bytes = BatchDatabase(home), clock, most_bytes
        self._folder = home / "files"

    def create(
        self, owner: str, filename: str, purpose: str, content: bytes, expires_in_s: int | None = None
    ) -> StoredFile:
        """Keep what was sent. Raises InputError for a name that is none, and for an owner who keeps too much."""
        name, now = _checked_name(filename), int(self._clock.wall())
        self._check_room(owner, len(content))
        file = StoredFile(
            id=f"file-{secrets.token_hex(12)}",
            owner=owner,
            filename=name,
            purpose=purpose,
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            created_at=now,
            expires_at=None if expires_in_s is None else now + expires_in_s,
        )
        with storage_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            beside = self._folder / f"{file.id}.partial"
            try:
                _write(beside, content)
                self._add(file, beside)
            finally:
                beside.unlink(missing_ok=True)
        return file

    def adopt(self, draft: StoredFile, path: Path) -> StoredFile:
        """Take over a file that was written here; `draft` is without hash and size. Another time it changes nothing."""
        with storage_errors(self._folder):
            file = draft.model_copy(update={"sha256": _hash(path), "size_bytes": path.stat().st_size})
            self._folder.mkdir(parents=True, exist_ok=True)
            beside = self._folder / f"{file.id}.partial"
            beside.unlink(missing_ok=True)
            os.link(path, beside)
            try:
                self._add(file, beside)
            finally:
                beside.unlink(missing_ok=True)
        return file

    def get(self, owner: str, identity: str) -> StoredFile:
        """One of the owner's files. Raises NotFound, also for what is somebody else's."""
        if self._database.exists:
            with self._database.transaction() as connection:
                row = connection.execute(self._seen(owner).where(FILES.c.id == identity)).mappings().one_or_none()
            if row is not None:
                return _file(row)
        raise NotFound(f"there is no file '{identity[:100]}'", "list yours: GET /v1/files")

    def link(self, file: StoredFile, target: Path) -> None:
        """Let the content be found at `target` too, on the same disk, also when the file is deleted. Raises NotFound
        where it is deleted already."""
        with storage_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with contextlib.suppress(FileExistsError):
                    os.link(self.path(file), target)
            except FileNotFoundError:
                raise NotFound(f"the file '{file.id}' was deleted", "send it again") from None

    def page(
        self, owner: str, limit: int, after: str | None = None, purpose: str | None = None, ascending: bool = False
    ) -> tuple[list[StoredFile], bool]:
        """Files behind `after`, and whether there are more. Raises NotFound."""
        if not self._database.exists:
            return [], False
        number = FILES.c.number
        query = self._seen(owner).order_by(number if ascending else number.desc()).limit(limit + 1)
        if purpose is not None:
            query = query.where(FILES.c.purpose == purpose)
        with self._database.transaction() as connection:
            if after is not None:
                begin = connection.scalar(sa.select(number).where(FILES.c.id == after, FILES.c.owner == owner))
                if begin is None:
                    raise NotFound(f"there is no file '{after[:100]}' to go on after", "leave 'after' out")
                query = query.where(number > begin if ascending else number < begin)
            rows = connection.execute(query).mappings().all()
        return [_file(row) for row in rows[:limit]], len(rows) > limit

    def delete(self, owner: str, identity: str) -> None:
        """Forget a file. Raises NotFound, and InputError while a batch reads it."""
        self.get(owner, identity)
        with self._database.transaction() as connection:
            reading = sa.select(BATCHES.c.id).where(
                BATCHES.c.input_file_id == identity, BATCHES.c.owner == owner, BATCHES.c.status.in_(ACTIVE)
            )
            if (batch := connection.scalar(reading)) is not None:
                raise InputError(
                    f"the batch {batch} reads the file", f"cancel it first: POST /v1/batches/{batch}/cancel"
                )
            self._forget(connection, FILES.c.id == identity)

    def purge(self) -> None:
        """Forget what has expired, unless a batch reads it."""
        if not self._database.exists:
            return
        read = sa.select(BATCHES.c.input_file_id).where(BATCHES.c.status.in_(ACTIVE))
        with self._database.transaction() as connection:
            self._forget(connection, sa.and_(FILES.c.expires_at <= int(self._clock.wall()), FILES.c.id.not_in(read)))

    def path(self, file: StoredFile) -> Path:
        """Where its content is: by its hash, whatever its client calls it."""
        return self._folder / file.sha256[:2] / file.sha256

    def _seen(self, owner: str) -> sa.Select[tuple[object, ...]]:
        alive = sa.or_(FILES.c.expires_at.is_(None), FILES.c.expires_at > int(self._clock.wall()))
        return sa.select(FILES).where(FILES.c.owner == owner, alive)

    def _check_room(self, owner: str, size_bytes: int) -> None:
        """Raise InputError where an owner would keep too much."""
        sums = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(FILES.c.size_bytes), 0))
        with self._database.transaction() as connection:
            count, used = connection.execute(sums.where(FILES.c.owner == owner)).one()
        if count >= MOST_FILES:
            raise InputError(f"you keep {count:,} files, the most there may be", "delete some: DELETE /v1/files/ID")
        if used + size_bytes > self._most_bytes:
            raise InputError(
                f"your files have {used:,} bytes, and at most {self._most_bytes:,} are kept",
                "delete some: DELETE /v1/files/ID",
            )

    def _add(self, file: StoredFile, beside: Path) -> None:
        """Row and content together: who writes the row has the database alone until the content has its name."""
        with self._database.transaction() as connection:
            connection.execute(sqlite.insert(FILES).values(file.model_dump()).on_conflict_do_nothing())
            target = self.path(file)
            target.parent.mkdir(exist_ok=True)
            beside.replace(target)
            _sync(target.parent)

    def _forget(self, connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
        """Rows, and the contents that no other row names; the database is this process's alone meanwhile."""
        hashes = set(connection.scalars(sa.delete(FILES).where(which).returning(FILES.c.sha256)))
        for sha256 in hashes:
            if connection.scalar(sa.select(FILES.c.number).where(FILES.c.sha256 == sha256).limit(1)) is None:
                with storage_errors(self._folder):
                    (self._folder / sha256[:2] / sha256).unlink(missing_ok=True)


def _file(row: Mapping[str, object] | sa.RowMapping) -> StoredFile:
    return StoredFile.model_validate({name: value for name, value in row.items() if name != "number"})


def _checked_name(filename: str) -> str:
    """The last part of a name, which is shown and never opened."""
    name = filename.replace("\\", "/").rpartition("/")[2].strip()
    if not name or len(name) > _NAME_LENGTH or not name.isprintable():
        raise InputError(
            f"the file's name is {filename[:100]!r}", f"give one of 1 to {_NAME_LENGTH} characters that can be printed"
        )
    return name


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
