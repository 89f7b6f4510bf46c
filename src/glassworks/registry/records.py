"""What the registry answers with, and how a model is referred to."""

from __future__ import annotations

import re
from dataclasses import dataclass

from glassworks.errors import InputError
from glassworks.packaging.bundle import Bundle
from glassworks.record import Record

CHAMPION = "champion"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
_ALIAS = re.compile(r"[a-z][a-z0-9_-]*", re.ASCII)
# More digits than a version can have would overflow the database's integer.
_VERSION = re.compile(r"[0-9]{1,9}", re.ASCII)


class Version(Record):
    """One published version of a model. `created_at` is ISO 8601 in UTC; `parent` is empty or `name@version`."""

    name: str
    version: int
    bundle_sha256: str
    created_at: str
    parent: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        return f"{self.name}@{self.version}"


class Alias(Record):
    """A name for one version of a model, such as `champion`."""

    name: str
    alias: str
    version: int


class Head(Record):
    """A model in short: how many versions it has, the number of the newest, when that was made, and what its name
    alone refers to: its champion, else the newest."""

    name: str
    versions: int
    newest: int
    created_at: str
    aliases: dict[str, int]
    chosen: Version


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A reference's bundle; `version` is None for a bundle that was given by its path."""

    bundle: Bundle
    name: str
    version: int | None

    def pinned(self, reference: str) -> str:
        """The very version that `reference` led to: `name@version`; a path stays one."""
        return reference if self.version is None else f"{self.name}@{self.version}"


def check_name(name: str) -> str:
    """A model's name. Raises InputError."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"'{name[:100]}' is not a model's name",
            "use at most 63 lower-case letters, digits, '.', '_' and '-', beginning with a letter or a digit",
        )
    return name


def check_alias(alias: str) -> str:
    """An alias, which is never a number. Raises InputError."""
    if not _ALIAS.fullmatch(alias):
        raise InputError(
            f"'{alias[:100]}' is not an alias",
            "use lower-case letters, digits, '_' and '-', beginning with a letter, such as champion",
        )
    return alias


def split_reference(reference: str) -> tuple[str, int | str | None]:
    """`name`, `name@3` or `name@champion` as the name and the version, alias or None. Raises InputError."""
    name, separator, rest = reference.partition("@")
    check_name(name)
    if not separator:
        return name, None
    return name, int(rest) if _VERSION.fullmatch(rest) else check_alias(rest)
