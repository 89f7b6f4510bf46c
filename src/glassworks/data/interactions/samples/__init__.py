"""Samples of interactions: each module here is one in an installed package, such as `movielens-small`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from glassworks.catalog import require
from glassworks.errors import DataError

if TYPE_CHECKING:
    import polars

    from glassworks.data.interactions.collection import ItemColumns


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Columns `user`, `item`, `time`, `weight` in `events`; `items` has a row an item, with the column `id`."""

    events: polars.DataFrame
    items: polars.DataFrame
    columns: ItemColumns


def summaries() -> Mapping[str, str]:
    """Name -> what it is."""
    return {name: module.SUMMARY for name, module in _modules().items()}


def load(name: str) -> Sample:
    """Raises DataError, MissingLibrary."""
    modules = _modules()
    if name not in modules:
        raise DataError(f"there is no sample of interactions '{name}'", f"samples: {', '.join(modules)}")
    require((modules[name].LIBRARY,), f"the sample '{name}'", extra="samples")
    require(("polars",), f"the sample '{name}'", extra="recommend")
    found: Sample = modules[name].read()
    return found


def _modules() -> Mapping[str, ModuleType]:
    found = (info.name for info in pkgutil.iter_modules(__path__))
    return {name.replace("_", "-"): importlib.import_module(f"{__name__}.{name}") for name in found}
