"""Sources of labelled pictures: each module here is a scheme, such as `folder:PATH`; adding one edits no list."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import ModuleType

from glassworks.data.collection import Pictures
from glassworks.data.schemes import parts_of, require_scheme
from glassworks.errors import DataError


def read_source(source: str, *, min_classes: int = 2) -> Pictures:
    """The labelled pictures of `SCHEME:REST`. Raises DataError when there is nothing to learn from them.

    `min_classes` is 1 for pictures that are only measured, not learned.
    """
    known = schemes()
    scheme, rest = parts_of(source, known, "folder:PATH")
    require_scheme(scheme, known, "pictures")
    pictures: Pictures = _module(scheme).read(rest)
    if len(pictures.classes) < min_classes:
        raise DataError(
            f"'{source}' holds only one class, '{pictures.classes[0]}'; a classifier needs at least {min_classes}",
            "add pictures of another class",
        )
    return pictures


def schemes() -> Mapping[str, str]:
    """Scheme -> what it reads."""
    return {info.name: _module(info.name).SUMMARY for info in pkgutil.iter_modules(__path__)}


def samples() -> Mapping[str, str]:
    """Name -> what it is, of the data sets that ship in packages."""
    from glassworks.data.samples import summaries

    return summaries()


def _module(scheme: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{scheme}")
