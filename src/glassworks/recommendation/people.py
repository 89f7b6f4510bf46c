"""The table of users in a bundle: who is described, and how."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from glassworks.errors import BundleError
from glassworks.recommendation.items import Ids
from glassworks.recommendation.profiles import Profiles
from glassworks.recommendation.requests import Request

if TYPE_CHECKING:
    import polars


class People:
    """`profiles` score for features; the table has them for the users whom it describes."""

    def __init__(self, profiles: Profiles, table: polars.DataFrame) -> None:
        self.profiles, self._table, self._ids = profiles, table.drop("id"), Ids(table["id"])

    @classmethod
    def opened(cls, index: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], folder: Path) -> Self | None:
        """Of a bundle's index; None where nobody is described. Raises BundleError."""
        import polars

        if "profiles" not in index:
            return None
        try:
            table = polars.read_parquet(folder / index["tables"]["people"])
            return cls(Profiles.from_arrays(arrays, index["profiles"]), table)
        except (OSError, KeyError, ValueError, polars.exceptions.PolarsError) as error:
            raise BundleError(f"the table of users cannot be read: {error}", "package the model again") from None

    def profile(self, request: Request) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
        """The features of a request, else those of the user that it names; None without any, and the unknown ones.
        Raises InputError."""
        features: Mapping[str, Any] = request.features
        row = None if features or request.user is None else self._ids.index(request.user)
        if row is not None:
            features = self._table.row(row, named=True)
        if not features:
            return None, ()
        known, unknown = self.profiles.indices(features)
        return (known if len(known) else None), unknown
