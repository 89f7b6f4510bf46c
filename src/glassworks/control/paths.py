"""What a request may not name: files of the machine that the service runs on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glassworks.catalog import found
from glassworks.contracts import Source
from glassworks.errors import Forbidden

_FILES = frozenset({"file", "path", "model", "teacher"})
"""Keys whose values may be paths as they are."""
_WRITTEN = frozenset({"output", "folder"})
"""Keys that say where to write."""
_FOLDERS = frozenset({"folder", "local-dir"})
_ABSOLUTE = re.compile(r"[a-z][a-z0-9_-]*:[/~.\\].*", re.DOTALL)


def refuse_paths(value: Any, key: str = "") -> None:
    """Raise Forbidden where a text within `value` names a file or a folder: who may ask for runs may not read every
    file of the machine."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            refuse_paths(inner, str(name))
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
    if separator and (scheme in _FOLDERS or _ABSOLUTE.fullmatch(text)):
        return True
    source = found(Source).get(scheme) if separator else None
    if source is None:
        return key in _FILES and ("/" in text or "\\" in text or text.endswith(".glass"))
    if source.naming == "path or name":
        return what.startswith(("/", "~", ".", "\\")) or ".." in what or Path(what).is_dir()
    return source.naming == "path"
