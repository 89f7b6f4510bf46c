"""What a request may not name: files of the machine that the service runs on."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from glassworks.catalog import found
from glassworks.contracts import Family, Source
from glassworks.errors import Forbidden
from glassworks.locations import Location, Naming, records_of

_FILES = frozenset({"file", "path", "model", "teacher"})
"""Keys whose values may be paths as they are."""
_WRITTEN = frozenset({"output", "folder"})
"""Keys that say where to write."""
_FOLDERS: Mapping[str, Naming] = {"folder": "path", "local-dir": "path"}
_INSTALLED = "package"
"""Its reader sees to it that nothing outside of the package is read."""
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*:[/~.\\].*", re.DOTALL)
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_NAME = re.compile(rf"(?:[A-Za-z][A-Za-z0-9_-]*:)?{_PART}(?:/{_PART})?", re.ASCII)
"""`NAME`, `OWNER/NAME`, each with a scheme or without."""


def refuse_paths(value: Any, key: str = "") -> None:
    """Raise Forbidden where a text within `value` names a file or a folder: who may ask for runs may not read every
    file of the machine."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            within = f"{key}.{name}"
            refuse_paths(inner, within if within in _locations() else str(name))
    elif isinstance(value, str):
        if _names_file(value, key):
            raise Forbidden(
                f"'{key}' names a file of the service's machine: {value[:100]}",
                "upload data and name it uploaded:ID; leave out where to write; or use the command line there",
            )
    elif isinstance(value, Sequence):
        for inner in value:
            refuse_paths(inner, key)


def _names_file(text: str, key: str) -> bool:
    if key in _WRITTEN:
        return bool(text)
    scheme, separator, what = text.partition(":")
    if key in _locations() and text:
        return _leads_to_file(text, scheme if separator else "", what)
    if separator and (scheme.strip().lower() in _FOLDERS or _ABSOLUTE.fullmatch(text)):
        return True
    if separator and (source := found(Source).get(scheme)) is not None:
        return source.naming == "path" or (source.naming == "path or name" and not _is_hub(text, what))
    return key in _FILES and ("/" in text or "\\" in text or text.endswith(".glass") or text.startswith((".", "~")))


def _leads_to_file(text: str, scheme: str, what: str) -> bool:
    """Of a key that says where something is, only names are taken: loaders read schemes each in its own way, some
    without regard to their case and to blanks."""
    if not scheme and Path(text).suffix.lower().removeprefix(".") in _schemes():
        return True
    naming = _schemes().get(scheme.strip().lower())
    if naming == "name" and scheme in _schemes():
        return False
    return naming == "path" or not _is_hub(text, what if scheme else text)


def _is_hub(text: str, what: str) -> bool:
    """Whether it can only be the name of something published."""
    return _NAME.fullmatch(text) is not None and not Path(what).exists()


@functools.cache
def _locations() -> frozenset[str]:
    """The keys of all records whose values say where something is, and what requests call data."""
    return frozenset({"data", *(name for name, _ in _marks())})


@functools.cache
def _schemes() -> Mapping[str, Naming]:
    """All schemes; one that names a path anywhere does so everywhere."""
    every: dict[str, Naming] = {**{name: source.naming for name, source in found(Source).items()}, _INSTALLED: "name"}
    for _, mark in _marks():
        every |= mark.schemes or {}
    return {**every, **_FOLDERS}


def _marks() -> list[tuple[str, Location]]:
    records = {record for family in found(Family).values() for record in (family.data, family.config)}
    return [mark for record in records for mark in _marks_of(record)]


def _marks_of(record: type[BaseModel], within: str = "") -> Iterator[tuple[str, Location]]:
    for name, field in record.model_fields.items():
        yield from ((within + name, mark) for mark in field.metadata if isinstance(mark, Location))
        for inner in records_of(field.annotation):
            yield from _marks_of(inner, f"{name}.")
