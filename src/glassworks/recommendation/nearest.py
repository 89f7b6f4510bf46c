"""Candidates in very large catalogs: a nearest-neighbor graph, checked against the exact scan when it is built.

One more dimension gives all items the same length, so that the nearest neighbors have the largest inner products
(Bachrach et al. 2014). Candidates are scored exactly; where rules leave too few of them, everything is scored.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassworks.errors import BundleError
from glassworks.recommendation.scoring import Scorer, Sparse

if TYPE_CHECKING:
    from usearch.index import Index

Floats = NDArray[np.float32]
FILE = "nearest.usearch"
SMALLEST = 1_000_000
"""Up to so many items everything is scored, which is fast enough and exact."""
_RECALL, _TOP, _CANDIDATES, _USERS = 0.98, 10, 500, 200
_EXPANSIONS = (512, 1024, 2048, 4096)
_SEARCH_AT_ONCE = 50


def write_nearest(
    scorer: Scorer, histories: Sparse, folder: Path, smallest: int | None = None
) -> dict[str, Any] | None:
    """Build the graph and measure its recall of the exact 10 best on histories; its entry in the index file.

    None for smaller catalogs and for scorers without vectors. Where the recall stays below 0.98, `used` is false and
    everything is scored. Raises MissingLibrary.
    """
    vectors = scorer.vectors()
    if vectors is None or len(vectors) <= (SMALLEST if smallest is None else smallest):
        return None
    return write_graph(vectors, scorer.users(histories[_some(histories)]), folder, "histories")


def write_graph(vectors: Floats, queries: Floats, folder: Path, what: str) -> dict[str, Any]:
    """Build the graph of vectors (I D) and measure it on queries (Q D), which its entry calls `what`; it is kept where
    its recall suffices. Raises MissingLibrary."""
    _built(vectors).save(folder / FILE)
    recall, expansion = 0.0, 0
    for expansion in _EXPANSIONS:
        recall = _recall(_viewed(folder / FILE, vectors.shape[1], expansion), vectors, queries)
        if recall >= _RECALL:
            break
    entry = {"recall_at_10": recall, what: len(queries), "expansion": expansion, "used": recall >= _RECALL}
    if entry["used"]:
        return {**entry, "file": FILE}
    (folder / FILE).unlink()
    return entry


class Graph:
    """A graph of vectors (I D), mapped into memory. Thread-safe."""

    def __init__(self, path: Path, vectors: Floats, entry: Mapping[str, Any]) -> None:
        """Raises BundleError."""
        try:
            self._index = _viewed(path, vectors.shape[1], int(entry["expansion"]))
        except (OSError, RuntimeError, ValueError) as error:
            raise BundleError(f"{path.name} is no graph of vectors: {error}", "package the model again") from None
        if len(self._index) != len(vectors):
            raise BundleError(f"{path.name} and the vectors do not fit each other", "package the model again")

    def candidates(self, query: Floats) -> NDArray[np.int64]:
        """Rows that are probably among the nearest to a query (D), ascending."""
        return np.sort(_search(self._index, query[None], _CANDIDATES)[0])


def opened_graph(entry: Mapping[str, Any], folder: Path, vectors: Floats) -> Graph | None:
    """The graph that an entry names; None without one, or without its library: then everything is scored."""
    if not _usable(entry):
        return None
    return Graph(folder / str(entry["file"]), vectors, entry)


class Nearest:
    """The graph of a packaged model. Thread-safe."""

    def __init__(self, path: Path, scorer: Scorer, entry: Mapping[str, Any]) -> None:
        vectors = scorer.vectors()
        if vectors is None:
            raise BundleError(f"{path.name} belongs to no scorer with vectors", "package the model again")
        self._vectors, self._scorer = vectors, scorer
        self._graph = Graph(path, vectors, entry)

    def scores(self, history: Sparse) -> Floats:
        """Exact scores (I) of the candidates for one history; minus infinity for all others."""
        query = self._scorer.users(history)[0].astype(np.float32)
        found = np.full(len(self._vectors), -np.inf, np.float32)
        candidates = self._graph.candidates(query)
        found[candidates] = self._vectors[candidates] @ query
        return found


def opened(index: Mapping[str, Any], folder: Path, scorer: Scorer) -> Nearest | None:
    """The graph that an index file names; None without one, or without its library: then everything is scored."""
    entry = index.get("nearest") or {}
    if not _usable(entry):
        return None
    return Nearest(folder / str(entry["file"]), scorer, entry)


def _usable(entry: Mapping[str, Any]) -> bool:
    return "file" in entry and find_spec("usearch") is not None


def _graph() -> type[Index]:
    """A graph of vectors. This is the only place that loads usearch, and ONNX Runtime comes before it.

    usearch holds a C++ library of its own and exports it, the numbers of the locale's facets among them, which the
    dynamic linker then gives to every library that is loaded later (they are unique in a process). With numbers that
    are not the system's, ONNX Runtime calls a wrong function while it is loaded, and the process dies. Whoever is
    loaded first binds them to the system's, for all (docs/decisions/0022).
    """
    import onnxruntime  # noqa: F401
    from usearch.index import Index

    return Index


def _viewed(path: Path, size: int, expansion: int) -> Index:
    index = _graph()(ndim=size + 1, metric="cos", dtype="f32", expansion_search=expansion)
    index.view(path)
    return index


def _built(vectors: Floats) -> Index:
    index = _graph()(ndim=vectors.shape[1] + 1, metric="cos", dtype="f32", connectivity=16, expansion_add=128)
    squares = np.einsum("ij,ij->i", vectors, vectors)
    longest = float(squares.max())
    # One thread: the same vectors give the same file.
    for begin in range(0, len(vectors), 100_000):
        part = vectors[begin : begin + 100_000]
        more = np.sqrt(np.maximum(longest - squares[begin : begin + len(part)], 0))[:, None]
        index.add(np.arange(begin, begin + len(part)), np.concatenate([part, more], axis=1), threads=1)
    return index


def _recall(index: Index, vectors: Floats, queries: Floats) -> float:
    """The share of the exact 10 best among the candidates."""
    hits = 0
    for begin in range(0, len(queries), _SEARCH_AT_ONCE):
        some = queries[begin : begin + _SEARCH_AT_ONCE].astype(np.float32)
        exact = np.argpartition(-(some @ vectors.T), _TOP, axis=1)[:, :_TOP]
        near = _search(index, some, _CANDIDATES)
        hits += sum(len(np.intersect1d(one, other)) for one, other in zip(exact, near, strict=True))
    return hits / (len(queries) * _TOP)


def _search(index: Index, queries: Floats, count: int) -> list[NDArray[np.int64]]:
    longer = np.ascontiguousarray(np.concatenate([queries, np.zeros((len(queries), 1), np.float32)], axis=1))
    count = min(count, len(index))
    return [np.asarray(index.search(query, count, threads=1).keys, np.int64).ravel() for query in longer]


def _some(histories: Sparse) -> NDArray[np.int64]:
    """Rows that are not empty, evenly spaced."""
    filled = np.flatnonzero(np.asarray((histories > 0).sum(axis=1)).ravel())
    return filled[np.unique(np.linspace(0, len(filled) - 1, min(_USERS, len(filled))).astype(np.int64))]
