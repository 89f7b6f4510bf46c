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
    known as seen. `table` has a row for each of `items`, in their order, with the column `id`.
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
    findings: tuple[Sentence, ...] = ()

    def __len__(self) -> int:
        return len(self.user)

    @property
    def shape(self) -> tuple[int, int]:
        """Users and items."""
        return len(self.users), len(self.items)

    def met(self) -> Sparse:
        """U I: 1 where a user likes an item, an explicit 0 where it was only met; the last interaction counts."""
        return sparse_rows(self.user, self.item, self.liked.astype(np.float32), self.shape)

    def likes(self) -> Sparse:
        """U I: 1 where a user likes an item."""
        found = self.met()
        found.eliminate_zeros()
        return found

    def popularity(self) -> NDArray[np.float32]:
        """How many like each item."""
        return np.asarray(self.likes().sum(axis=0), np.float32).ravel()

    def part(self, rows: NDArray[Any]) -> Interactions:
        """Some interactions (a mask or ascending indexes), of the same users and items."""
        return replace(
            self,
            user=self.user[rows],
            item=self.item[rows],
            time=None if self.time is None else self.time[rows],
            weight=self.weight[rows],
            liked=self.liked[rows],
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
