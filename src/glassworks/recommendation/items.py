"""The item table: ids, titles, and masks for the conditions of rules."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassworks.errors import BundleError, InputError
from glassworks.recommendation.requests import Condition, Range

if TYPE_CHECKING:
    import polars

Mask = NDArray[np.bool_]
_WHOLE = re.compile(r"-?\d{1,19}", re.ASCII)
_KEPT_MASKS = 256


class Ids:
    """Ids in ascending order, whole numbers or texts; found by bisection, without a hash table."""

    def __init__(self, series: polars.Series) -> None:
        self.whole = series.dtype.is_integer()
        self._values: list[Any] = series.to_list()

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: int) -> Any:
        return self._values[index]

    def index(self, given: int | str) -> int | None:
        """The row of an id. A number may be given as text and a text as number: a table has ids of one kind. Spaces
        around a text do not matter, unless ids have them."""
        if not self.whole:
            found = self._found(str(given))
            return self._found(str(given).strip()) if found is None else found
        if isinstance(given, str):
            return self._found(int(given)) if _WHOLE.fullmatch(given) else None
        return self._found(given)

    def _found(self, given: int | str) -> int | None:
        index = bisect_left(self._values, given)
        return index if index < len(self._values) and self._values[index] == given else None

    def indices(self, given: Iterable[int | str]) -> NDArray[np.int64]:
        """The rows of the known ones."""
        found = (self.index(each) for each in given)
        return np.array([index for index in found if index is not None], np.int64)


class Items:
    """The item table: a row an item, in the order of the scores."""

    def __init__(self, path: Path, title: str) -> None:
        import polars

        try:
            self._table = polars.read_parquet(path)
            self.ids = Ids(self._table["id"])
            self.popularity = self._table["popularity"].to_numpy().astype(np.float32)
        except (OSError, polars.exceptions.PolarsError) as error:
            raise BundleError(f"{path.name} is no table of items: {error}", "package the model again") from None
        self._titles: list[Any] | None = self._table[title].to_list() if title in self._table.columns else None
        self._masks: dict[tuple[str, str], Mask] = {}
        self._numbers: dict[str, NDArray[np.float64]] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def name(self, index: int) -> dict[str, Any]:
        """An item as answers name it: its id and its title."""
        if self._titles is None:
            return {"item": self.ids[index]}
        return {"item": self.ids[index], "title": self._titles[index]}

    def mask(self, column: str, condition: Condition) -> Mask:
        """The items for which a condition holds; read-only. Raises InputError."""
        key = (column, repr(condition))  # 1, 1.0 and True are equal, and yet not the same condition
        found = self._masks.get(key)
        if found is None:
            found = self._mask(column, condition)
            if len(self._masks) >= _KEPT_MASKS:
                self._masks.clear()
            self._masks[key] = found
        return found

    def _mask(self, column: str, condition: Condition) -> Mask:
        known = [name for name in self._table.columns if name != "id"]
        if column not in known:
            raise InputError(f"items have no column '{column[:200]}'", f"columns: {', '.join(known)}")
        if isinstance(condition, Range):
            values = self._number(column)
            low = -np.inf if condition.min is None else condition.min
            high = np.inf if condition.max is None else condition.max
            with np.errstate(invalid="ignore"):
                return np.asarray((values >= low) & (values <= high))
        return self._one_of(column, condition if isinstance(condition, tuple) else (condition,))

    def _number(self, column: str) -> NDArray[np.float64]:
        if column not in self._numbers:
            if not self._table[column].dtype.is_numeric():
                raise InputError(f"the column '{column}' holds no numbers", "give values that it holds, not a range")
            self._numbers[column] = self._table[column].cast(float).fill_null(float("nan")).to_numpy()
        return self._numbers[column]

    def _one_of(self, column: str, values: Sequence[Any]) -> Mask:
        import polars

        series = self._table[column]
        if isinstance(series.dtype, polars.List):
            inner = _alike(values, series.dtype.inner)
            return series.list.set_intersection(inner.to_list()).list.len().fill_null(0).to_numpy() > 0
        return series.is_in(_alike(values, series.dtype)).fill_null(False).to_numpy()

    def features(self, indices: NDArray[np.int64], columns: Sequence[str]) -> NDArray[np.float32] | None:
        """Categories of items as binary rows scaled to length 1, for cosine similarity; None without any."""
        rows: list[set[Any]] = [set() for _ in indices]
        for column in columns:
            for row, values in zip(rows, self._table[column][indices.tolist()].to_list(), strict=True):
                categories = values if isinstance(values, list) else [values]
                row.update((column, each) for each in categories if each is not None)
        known = {each: number for number, each in enumerate(dict.fromkeys(each for row in rows for each in row))}
        if not known:
            return None
        found = np.zeros((len(rows), len(known)), np.float32)
        for number, row in enumerate(rows):
            found[number, [known[each] for each in row]] = 1
        return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9), np.float32)


def _alike(values: Sequence[Any], kind: Any) -> polars.Series:
    """Values as a series of a column's type, without those that the column cannot hold."""
    import polars

    return polars.Series(list(values), strict=False, dtype=kind).drop_nulls()
