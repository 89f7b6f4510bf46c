"""What people are answers those of whom nothing else is known: what others of the same country or age like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from glassworks.data.interactions.collection import Interactions, Sparse
from glassworks.errors import InputError

if TYPE_CHECKING:
    import polars

PREFIX = "profiles."
_SHRINKAGE = 20.0
"""So many users who like as everybody does are counted with those who have a feature."""
_BINS = 5
"""A number is described by the fifth of the users in which it lies."""
Features = Mapping[str, Any]


class Profiles:
    """`counts` (sparse V I) are how many users with each feature like each item, `sizes` (V) how many users have it,
    and `shares` (I) the part of all users who like an item. `names` (V) are pairs of a column and a value, or of a
    column and the number of a bin; `edges` are between the bins of a column.

    A score is log P(item) plus, for each feature, log P(item | feature) / P(item): naive Bayes, shrunk to the shares.
    """

    def __init__(
        self,
        names: Sequence[tuple[str, str]],
        edges: Mapping[str, Sequence[float]],
        counts: Sparse,
        sizes: NDArray[np.float32],
        shares: NDArray[np.float32],
    ) -> None:
        self._names, self._edges = [(column, value) for column, value in names], dict(edges)
        self._counts, self._sizes, self._shares = counts, sizes, shares
        self._known = {name: index for index, name in enumerate(self._names)}
        self._columns = [*dict.fromkeys([*(column for column, _ in self._names), *self._edges])]

    @classmethod
    def fit(cls, log: Interactions) -> Self | None:
        """Of the users in a log; None where nothing describes them."""
        from scipy.sparse import csr_array

        if log.people is None or log.people.is_empty():
            return None
        edges = {column: _edges(log.people[column]) for column in log.user_columns.numbers}
        rows = [list(_named(row, edges)) for row in log.people.iter_rows(named=True)]
        names = sorted({name for row in rows for name in row})
        known = {name: index for index, name in enumerate(names)}
        user = log.users.search_sorted(log.people["id"]).to_numpy()
        there = log.people["id"].is_in(log.users.implode()).to_numpy()
        pairs = [(known[n], int(u)) for row, u, met in zip(rows, user, there, strict=True) if met for n in row]
        feature, who = np.array(pairs, np.int64).reshape(-1, 2).T
        having = csr_array((np.ones(len(who), np.float32), (feature, who)), shape=(len(names), log.shape[0]))
        likes = log.likes()
        likes.data = np.ones(len(likes.data), np.float32)
        sizes = np.asarray(having.sum(axis=1), np.float32).ravel()
        shares = (log.popularity() + 0.5) / (log.shape[0] + 1)
        return cls(names, edges, csr_array(having @ likes), sizes, shares.astype(np.float32))

    def indices(self, features: Features) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """The known features of a user, and the others. Raises InputError for a column that users do not have."""
        for column in features:
            if column not in self._columns:
                raise InputError(f"users have no '{column[:100]}'", f"features: {', '.join(self._columns)}"[:300])
        given = list(_named(features, self._edges))
        found = sorted({self._known[name] for name in given if name in self._known})
        unknown = tuple(f"{column}: {value}" for column, value in given if (column, value) not in self._known)
        return np.array(found, np.int64), unknown

    def scores(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """For a user with these features (I)."""
        return np.asarray(np.log(self._shares) + self._lifts(indices).sum(axis=0), np.float32)

    def _lifts(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        counts = np.asarray(self._counts[indices].toarray(), np.float32)
        expected = (self._sizes[indices, None] + _SHRINKAGE) * self._shares
        return np.asarray(np.log((counts + _SHRINKAGE * self._shares) / expected), np.float32)

    def terms(self, indices: NDArray[np.int64], item: int) -> list[tuple[str, float]]:
        """Each feature with its part of an item's score, the largest first."""
        lifts = self._lifts(indices)[:, item]
        order = np.argsort(-np.abs(lifts), kind="stable")
        return [(self._said(int(indices[at])), float(lifts[at])) for at in order]

    def _said(self, index: int) -> str:
        column, value = self._names[index]
        edges = self._edges.get(column)
        if edges is None:
            return f"{column}: {value}"
        low, high = ([-np.inf, *edges, np.inf][int(value) + end] for end in (0, 1))
        return f"{column}: {low:g} to {high:g}"

    def arrays(self) -> dict[str, NDArray[Any]]:
        """To be written, by name."""
        rows = {"indptr": self._counts.indptr, "indices": self._counts.indices, "data": self._counts.data}
        return {PREFIX + name: each for name, each in {**rows, "sizes": self._sizes, "shares": self._shares}.items()}

    @property
    def parameters(self) -> dict[str, Any]:
        """Everything else to write, as JSON."""
        return {"names": [list(name) for name in self._names], "edges": {k: list(v) for k, v in self._edges.items()}}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any]) -> Self:
        """The inverse of `arrays` and `parameters`."""
        from scipy.sparse import csr_array

        own = {name.removeprefix(PREFIX): each for name, each in arrays.items() if name.startswith(PREFIX)}
        shape = (len(own["sizes"]), len(own["shares"]))
        counts = csr_array((own["data"], own["indices"], own["indptr"]), shape=shape)
        names = [(str(column), str(value)) for column, value in parameters["names"]]
        return cls(names, parameters["edges"], counts, own["sizes"], own["shares"])


def _edges(column: polars.Series) -> list[float]:
    values = column.drop_nulls().to_numpy()
    if not len(values):
        return []
    return [float(each) for each in np.unique(np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1]))]


def _named(features: Features, edges: Mapping[str, Sequence[float]]) -> list[tuple[str, str]]:
    """Pairs of a column and a value, or a bin."""
    found: list[tuple[str, str]] = []
    for column, value in features.items():
        if column == "id" or value is None:
            continue
        if column in edges:
            found.append((column, str(int(np.searchsorted(edges[column], _number(column, value), side="right")))))
        else:
            values = value if isinstance(value, list | tuple) else (value,)
            found.extend((column, str(each).strip()) for each in values)
    return found


def _number(column: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(f"the feature '{column[:100]}' is a number, not {value!r:.60}", "send a number") from None
