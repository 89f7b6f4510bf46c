"""Sources of interactions: each module here is a scheme, such as `csv:PATH`; adding one edits no list.

A source is read lazily: a table may be larger than memory, and only the columns that are asked for are kept.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING

from glassworks.data.schemes import parts_of, require_scheme

if TYPE_CHECKING:
    import polars


def scan(source: str) -> polars.LazyFrame:
    """The table of `SCHEME:REST`; columns of text that were not typed stay text. Raises DataError, MissingLibrary."""
    known = schemes()
    scheme, rest = parts_of(source, known)
    require_scheme(scheme, known, "interactions")
    table: polars.LazyFrame = _module(scheme).scan(rest)
    return table


def schemes() -> Mapping[str, str]:
    """Scheme -> what it reads."""
    return {info.name: _module(info.name).SUMMARY for info in pkgutil.iter_modules(__path__)}


def _module(scheme: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{scheme}")
