"""Access keys: made, listed, revoked, and found by their secret, which itself is kept nowhere.

A secret is `gw_ID_RANDOM`: eight hexadecimal digits that name the key, and 32 random bytes as 43 characters.
Only its SHA-256 is stored. With 256 random bits there is nothing to guess, so neither a salt nor a slow hash,
as passwords need them, would add anything; a fast hash lets the server check a key in about a microsecond.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, TypedDict, Unpack

import sqlalchemy as sa
from pydantic import Field, ValidationError
from sqlalchemy import exc

from glassworks.errors import InputError, NotFound
from glassworks.record import Record
from glassworks.registry.records import check_name
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.database import KEYS, AccessDatabase, Stamp
from glassworks.serving.access.masking import masked

Role = Literal["infer", "viewer", "operator", "admin"]
"""`infer` asks models. `viewer` sees runs, data and models; `operator` changes them too; `admin` does all of that,
loads and unloads models, and manages keys."""
INCLUDED: Mapping[Role, frozenset[Role]] = {
    "infer": frozenset({"infer"}),
    "viewer": frozenset({"viewer"}),
    "operator": frozenset({"operator", "viewer"}),
    "admin": frozenset({"admin", "operator", "viewer"}),
}
"""Role -> what a key with it may do."""
ANONYMOUS = "anonymous"
"""Stands for the key's id where none was sent; no key has it."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
_ID = re.compile(r"[0-9a-f]{8}", re.ASCII)
_SECRET_BYTES = 32
_SECRET_LENGTH = len("gw_") + 8 + len("_") + 43
_NO_DIGEST = bytes(hashlib.sha256().digest_size)
_ATTEMPTS = 10


class Limits(TypedDict, total=False):
    """What a key may do at most, see `Key`; without a limit, or with None, anything."""

    requests_per_s: float | None
    requests_per_day: int | None
    rows_per_day: int | None
    tokens_per_day: int | None
    concurrent_streams: int | None
    max_context: int | None


class Key(Record):
    """An access key without its secret. Where there is no limit, it is None; without `models`, all are allowed."""

    id: str
    name: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    models: tuple[str, ...] = ()
    roles: tuple[Role, ...] = Field(default=("infer",), min_length=1)
    requests_per_s: float | None = Field(default=None, gt=0, le=1e9, allow_inf_nan=False)
    requests_per_day: int | None = Field(default=None, gt=0, lt=2**63)
    rows_per_day: int | None = Field(default=None, gt=0, lt=2**63)
    tokens_per_day: int | None = Field(default=None, gt=0, lt=2**63)
    """Of prompts and answers together."""
    concurrent_streams: int | None = Field(default=None, gt=0, lt=2**63)
    """Answers, of models that write them token by token, that may be under way at a time."""
    max_context: int | None = Field(default=None, gt=0, lt=2**63)
    """Tokens of a prompt with its answer."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and the SHA-256 of its secret."""

    key: Key
    secret_sha256: bytes = field(repr=False)


class KeyStore:
    """The keys in `access.db` of the folder `home`. Every method raises StorageError where that cannot be used."""

    def __init__(self, home: Path, clock: Clock) -> None:
        self._database, self._clock = AccessDatabase(home), clock

    def create(
        self,
        name: str,
        *,
        models: Iterable[str] = (),
        roles: Iterable[Role] = ("infer",),
        expires_in_s: float | None = None,
        **limits: Unpack[Limits],
    ) -> tuple[Key, str]:
        """A new key and its secret, which cannot be had again. Raises InputError, also for a name in use."""
        now = self._clock.now()
        for _ in range(_ATTEMPTS):
            identity = secrets.token_hex(4)
            key = _checked(
                id=identity,
                name=_check_name(name),
                created_at=now,
                expires_at=_after(now, expires_in_s),
                models=tuple(dict.fromkeys(check_name(shown(model)) for model in models)),
                roles=tuple(sorted(set(roles), reverse=True)),
                **limits,
            )
            secret = f"gw_{identity}_{secrets.token_urlsafe(_SECRET_BYTES)}"
            if self._added(Entry(key, hashlib.sha256(secret.encode()).digest())):
                return key, secret
        raise InputError("no free id was found for the key", "create it again")

    def list(self) -> tuple[Key, ...]:
        """All keys, those that were revoked too, the oldest first."""
        return tuple(entry.key for entry in self.entries())

    def revoke(self, id_or_name: str) -> Key:
        """Refuse a key from now on; one that is revoked already stays as it is. Raises NotFound."""
        now = self._clock.now().isoformat()
        alike = sa.or_(KEYS.c.id == id_or_name, sa.and_(KEYS.c.name == id_or_name, KEYS.c.revoked_at.is_(None)))
        change = sa.update(KEYS).where(alike).values(revoked_at=sa.func.coalesce(KEYS.c.revoked_at, now))
        if self._database.exists:
            with self._database.transaction() as connection:
                row = connection.execute(change.returning(*KEYS.c)).mappings().one_or_none()
            if row is not None:
                return _entry(row).key
        names = ", ".join(key.name for key in self.list() if key.revoked_at is None)
        raise NotFound(f"there is no key '{shown(id_or_name)}' that could be revoked", f"keys: {names or 'none'}")

    def find(self, secret: bytes) -> Key | None:
        """The key of a secret, whether or not it is still valid; None for what is no key's secret."""
        by_id = {entry.key.id.encode(): entry for entry in self.entries()}
        entry = by_id.get(id_of(secret))
        return entry.key if matches(secret, entry.secret_sha256 if entry else None) and entry else None

    def entries(self) -> tuple[Entry, ...]:
        """All keys with the hashes of their secrets, the oldest first."""
        if not self._database.exists:
            return ()
        with self._database.transaction() as connection:
            rows = connection.execute(sa.select(KEYS).order_by(KEYS.c.created_at, KEYS.c.id)).mappings().all()
        return tuple(_entry(row) for row in rows)

    def stamp(self) -> Stamp:
        """Differs after any process has changed a key; it costs two calls of `stat`."""
        return self._database.stamp()

    def _added(self, entry: Entry) -> bool:
        """Whether the id was free. Raises InputError for a name in use."""
        key = entry.key
        values = {**key.model_dump(mode="json"), "secret_sha256": entry.secret_sha256}
        values |= {name: at.isoformat() for name in ("created_at", "expires_at") if (at := getattr(key, name))}
        same_name = sa.select(KEYS.c.id).where(KEYS.c.name == key.name, KEYS.c.revoked_at.is_(None))
        try:
            with self._database.transaction() as connection:
                connection.execute(sa.insert(KEYS).values(values))
        except exc.IntegrityError:
            with self._database.transaction() as connection:
                taken = connection.scalar(same_name)
            if taken is None:
                return False
            raise InputError(
                f"there is a key '{key.name}' already, with the id {taken}",
                f"give another name, or first: glassworks keys revoke {key.name}",
            ) from None
        return True


def id_of(secret: bytes) -> bytes:
    """The part of a secret that names its key; empty for what has not a secret's form."""
    return secret[3:11] if len(secret) == _SECRET_LENGTH and secret.startswith(b"gw_") else b""


def matches(secret: bytes, secret_sha256: bytes | None) -> bool:
    """Whether this is the secret of a stored hash, in a time that does not tell how much of it is right."""
    return hmac.compare_digest(hashlib.sha256(secret).digest(), secret_sha256 or _NO_DIGEST)


def shown(text: str) -> str:
    """What was given, for an error to quote: a secret that was put in a wrong place is not shown."""
    return masked(text)[:100]


def _entry(row: sa.RowMapping) -> Entry:
    values = dict(row)
    digest = values.pop("secret_sha256")
    return Entry(Key.model_validate(values), digest)


def _checked(**values: object) -> Key:
    try:
        return Key.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"{first['loc'][0]} cannot be {first['input']!r:.100}: {first['msg']}",
            f"give a positive number or leave a limit out; roles are {', '.join(INCLUDED)}",
        ) from None


def _after(now: datetime, seconds: float | None) -> datetime | None:
    if seconds is None:
        return None
    try:
        expires_at = now + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        expires_at = now
    if expires_at <= now:
        raise InputError(f"a key cannot expire in {seconds} s", "give a time to come, such as 30d, or none")
    return expires_at


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name) or _ID.fullmatch(name) or name.startswith("gw_") or name == ANONYMOUS:
        raise InputError(
            f"'{shown(name)}' cannot be a key's name",
            "use at most 63 lower-case letters, digits, '.', '_' and '-', beginning with a letter or a digit; not "
            f"'{ANONYMOUS}', eight hexadecimal digits (they look like an id) or what begins with gw_ (like a secret)",
        )
    return name
