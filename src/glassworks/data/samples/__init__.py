"""Samples: each module here is a data set in an installed package; `mnist_5k.py` is the sample `mnist-5k`."""

from __future__ import annotations

import gzip
import importlib
import pkgutil
from collections.abc import Mapping
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from glassworks.catalog import require
from glassworks.data.installed import installed
from glassworks.errors import DataError


def summaries() -> Mapping[str, str]:
    """Name -> what it is."""
    return {name: module.SUMMARY for name, module in _modules().items()}


def load(name: str) -> tuple[NDArray[np.uint8], NDArray[np.generic]]:
    """Pictures (uint8 N H W or N H W C) and labels (N, integers or texts). Raises DataError, MissingLibrary."""
    modules = _modules()
    if name not in modules:
        raise DataError(f"there is no sample '{name}'", f"samples: {', '.join(modules)}")
    module = modules[name]
    require((module.LIBRARY,), f"the sample '{name}'", extra="samples")
    if hasattr(module, "FILES"):
        x, y = module.parse([installed(module.LIBRARY, file).read_bytes() for file in module.FILES])
    else:
        x, y = module.parse(_packaged_table(module.LIBRARY, module.FILE))
    return x, y


def _modules() -> Mapping[str, ModuleType]:
    found = (info.name for info in pkgutil.iter_modules(__path__))
    return {name.replace("_", "-"): importlib.import_module(f"{__name__}.{name}") for name in found}


def _packaged_table(library: str, file: str) -> NDArray[np.uint8]:
    """A gzipped table of small numbers inside a package."""
    text = gzip.decompress(installed(library, file).read_bytes()).decode("ascii")
    return np.loadtxt(text.splitlines(), delimiter=",", dtype=np.uint8, ndmin=2)
