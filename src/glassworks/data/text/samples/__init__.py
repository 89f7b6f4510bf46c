"""Samples of texts: each module here is one in an installed package; `zh_reviews.py` is the sample `zh-reviews`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from types import ModuleType

from glassworks.catalog import require
from glassworks.errors import DataError


def summaries() -> Mapping[str, str]:
    """Name -> what it is."""
    return {name: module.SUMMARY for name, module in _modules().items()}


def load(name: str) -> Iterable[tuple[str, str, str]]:
    """Rows of (name, text, label). Raises DataError, MissingLibrary."""
    modules = _modules()
    if name not in modules:
        raise DataError(f"there is no sample of texts '{name}'", f"samples: {', '.join(modules)}")
    require((modules[name].LIBRARY,), f"the sample '{name}'", extra="samples")
    rows: Iterable[tuple[str, str, str]] = modules[name].rows()
    return rows


def _modules() -> Mapping[str, ModuleType]:
    found = (info.name for info in pkgutil.iter_modules(__path__))
    return {name.replace("_", "-"): importlib.import_module(f"{__name__}.{name}") for name in found}
