"""What lies inside installed packages, found without importing them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from glassworks.errors import DataError


def installed(library: str, inner: str) -> Path:
    """A file or folder that an installed package holds. Raises DataError, also for a path that leaves the package."""
    # Of a dotted name Python would import the part before the dot, only to find it.
    spec = importlib.util.find_spec(library) if library.isidentifier() else None
    if spec is None:
        raise DataError(
            f"no installed package holds the module '{library}'",
            "install the package that brings it (its name may be another), or give the path of a copy",
        )
    for folder in spec.submodule_search_locations or ():
        found = (Path(folder) / inner).resolve()
        if found.exists() and found.is_relative_to(Path(folder).resolve()):
            return found
    raise DataError(
        f"the installed library '{library}' has no '{inner}'", f"pip install --upgrade --force-reinstall {library}"
    )
