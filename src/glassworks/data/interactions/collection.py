"""Who met what, when and how strongly: interactions of any source, in arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassworks.sentences import Sentence

if TYPE_CHECKING:
    import polars

Id = int | str
"""A user's or an item's name as the source has it."""
_LEAST_PART = 1e-3
"""What is liked never counts less, however old."""
Sparse = Any
"""A `scipy.sparse.csr_array`; scipy ships no types."""


@dataclass(frozen=True, kw_only=True)
class ItemColumns:
    """Columns of the item table by what content-based models make of them, and what people call an item."""

    categories: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Interactions:
    """Interactions in the order of their time; of equal times in that of users and items.

    `users` and `items` are ids, ascending, as a polars series of Int64 or String; `user` (int32 N) and `item` (int32 N)
    count in them. `time` is in seconds since 1970 (int64 N), or None. `weight` (float32 N) is the rating or count as
    given; `liked` (bool N) says which interactions are the taste that is learned: what else a user met is only
    known as seen. `strength` (float32 N) is how much a pair counts after each interaction, where a usual one counts 1;
    None where all liked ones do. With `half_life` (seconds) what is that old counts half. `table` has a row for each of
    `items`, in their order, with the column `id`, `people` one for each described user, known or not.
    """

    source: str
    users: polars.Series
    items: polars.Series
    user: NDArray[np.int32]
    item: NDArray[np.int32]
    time: NDArray[np.int64] | None
    weight: NDArray[np.float32]
    liked: NDArray[np.bool_]
    table: polars.DataFrame
    columns: ItemColumns
    fingerprint: str
    strength: NDArray[np.float32] | None = None
    half_life: float | None = None
    people: polars.DataFrame | None = None
    user_columns: ItemColumns = ItemColumns()
    findings: tuple[Sentence, ...] = ()

    def __len__(self) -> int:
        return len(self.user)

    @property
    def shape(self) -> tuple[int, int]:
        """Users and items."""
        return len(self.users), len(self.items)

    def values(self) -> NDArray[np.float32]:
        """How much each interaction counts at the time of the last one (N): 1 for a usual like, 0 for what was met and
        not liked."""
        found = self.liked.astype(np.float32) if self.strength is None else np.where(self.liked, self.strength, 0)
        if self.half_life is not None and self.time is not None and len(self.time):
            age = (self.time[-1] - self.time) / self.half_life
            found = found * np.maximum(np.exp2(-age), _LEAST_PART)
        return np.asarray(found, np.float32)

    def met(self) -> Sparse:
        """U I: how much an item counts for a user who likes it, an explicit 0 where it was only met; the last
        interaction of a pair counts."""
        return sparse_rows(self.user, self.item, self.values(), self.shape)

    def likes(self) -> Sparse:
        """U I: the same without what was only met."""
        found = self.met()
        found.eliminate_zeros()
        return found

    def popularity(self) -> NDArray[np.float32]:
        """How many like each item (I), however much."""
        return np.bincount(self.likes().indices, minlength=self.shape[1]).astype(np.float32)

    def part(self, rows: NDArray[Any]) -> Interactions:
        """Some interactions (a mask or ascending indexes), of the same users and items."""
        return replace(
            self,
            user=self.user[rows],
            item=self.item[rows],
            time=None if self.time is None else self.time[rows],
            weight=self.weight[rows],
            liked=self.liked[rows],
            strength=None if self.strength is None else self.strength[rows],
        )


def sparse_rows(
    row: NDArray[np.int32], column: NDArray[np.int32], value: NDArray[Any], shape: tuple[int, int]
) -> Sparse:
    """A matrix with sorted columns; explicit zeros stay, and of a pair that is there twice the last one counts."""
    from scipy.sparse import csr_array

    pair = row.astype(np.int64) * shape[1] + column
    order = np.argsort(pair, kind="stable")
    pair = pair[order]
    order = order[np.append(pair[1:] != pair[:-1], True)] if len(pair) else order
    row, column, value = row[order], column[order], value[order]
    begins = np.zeros(shape[0] + 1, np.int64)
    np.cumsum(np.bincount(row, minlength=shape[0]), out=begins[1:])
    narrow = begins.astype(np.int32) if len(row) < 2**31 else begins
    columns = column.astype(np.int32) if len(row) < 2**31 else column.astype(np.int64)
    return csr_array((value, columns, narrow), shape=shape)
