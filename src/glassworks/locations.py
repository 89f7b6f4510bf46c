"""Keys of a job that say where something is, as SCHEME:WHAT: which schemes name a path, and from where it counts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel

Naming = Literal["path", "name", "path or name"]
"""What follows a scheme's colon. A relative path counts from the job file; one that may be a name too, where it is a
folder there."""


@dataclass(frozen=True)
class Location:
    """Marks a key of a record (`Annotated[str, Location()]`) whose value is SCHEME:WHAT.

    `schemes` are those that name a path; None stands for the schemes of the catalog's sources.
    """

    schemes: Mapping[str, Naming] | None = None


def home_of(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of everything that this product keeps: GLASSWORKS_HOME."""
    return Path(environ.get("GLASSWORKS_HOME") or "~/.glassworks").expanduser().resolve()


def anchored(
    record: type[BaseModel], table: Mapping[str, Any], folder: Path, sources: Mapping[str, Naming]
) -> dict[str, Any]:
    """`table` with relative paths in the locations of `record` and of its tables counted from `folder`."""
    found = dict(table)
    for name, field in record.model_fields.items():
        for inner in records_of(field.annotation) if isinstance(table.get(name), Mapping) else ():
            found[name] = anchored(inner, table[name], folder, sources)
        for mark in field.metadata:
            if isinstance(mark, Location) and isinstance(value := table.get(name), str):
                found[name] = absolute(value, folder, sources if mark.schemes is None else mark.schemes)
    return found


def records_of(annotation: Any) -> Iterator[type[BaseModel]]:
    """The records that a key's type has, alone or among others."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from records_of(part)


def with_scheme(path: str, known: Iterable[str]) -> str:
    """What to write for a path without a scheme, by its suffix or as a folder; empty where it looks like neither."""
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix in known:
        return f"{suffix}:{path}"
    # Path.is_dir raises for a name that is too long.
    is_folder = "/" in path or path == ".." or os.path.isdir(path)  # noqa: PTH112
    return f"folder:{path}" if is_folder else ""


def absolute(location: str, folder: Path, schemes: Mapping[str, Naming]) -> str:
    """A location whose relative path counts from `folder`, as one that means the same everywhere."""
    scheme, separator, what = location.partition(":")
    naming = schemes.get(scheme, "name")
    if not separator or naming == "name" or what.startswith("~") or Path(what).is_absolute():
        return location
    if naming == "path or name" and not (folder / what).is_dir():
        return location
    return f"{scheme}:{(folder / what).resolve()}"
