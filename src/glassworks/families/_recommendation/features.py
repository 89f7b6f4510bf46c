"""What items are as sparse rows of named features: categories, numbers, words, and vectors of a sentence encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glassworks.catalog import require
from glassworks.data.interactions.collection import Interactions
from glassworks.errors import DataError
from glassworks.recommendation.scoring import Sparse

if TYPE_CHECKING:
    import polars

Meaning = Callable[[Sequence[str]], NDArray[np.float32]]
_KNOTS = 7
"""Numbers are described by so many quantiles."""


@dataclass(frozen=True, kw_only=True)
class Features:
    """`rows` (sparse I x V) have length 1, or 0 for an item of which nothing is known; `names` (V) are for people."""

    rows: Sparse
    names: tuple[str, ...]


def item_features(
    log: Interactions, words: int, *, titles: bool = False, numbers: bool = True, meaning: Meaning | None = None
) -> Features:
    """Each column of the item table as a block of length 1, and all together too. Raises DataError without any.

    With `meaning`, from texts to vectors (N D), descriptions are these instead of words.
    """
    from scipy.sparse import csr_array, hstack

    blocks: list[Sparse] = []
    names: list[str] = []
    for column in log.columns.categories:
        _add(blocks, names, column, *_categories(log.table[column].to_list()))
    for column in log.columns.numbers if numbers else ():
        _add(blocks, names, column, *_numbers(log.table[column]))
    title = (log.columns.title,) if titles and log.columns.title else ()
    for column in dict.fromkeys((*log.columns.texts, *title)):
        texts = log.table[column].fill_null("").to_list()
        _add(blocks, names, column, *(_words(texts, words) if meaning is None else _meant(texts, meaning)))
    if not blocks:
        raise DataError(
            f"'{log.source}' says nothing of what items are",
            "name an item table and its columns: data.items, data.categories, data.numbers, data.descriptions",
        )
    return Features(rows=_unit(csr_array(hstack(blocks))), names=tuple(names))


def _add(blocks: list[Sparse], names: list[str], column: str, block: Sparse, values: Sequence[str]) -> None:
    blocks.append(_unit(block))
    names.extend(f"{column}: {value}" for value in values)


def _categories(rows: Sequence[Sequence[str] | None]) -> tuple[Sparse, list[str]]:
    """TF-IDF: the rarer, the more a category says."""
    known = sorted({each for row in rows for each in row or ()})
    number = {each: position for position, each in enumerate(known)}
    pairs = [(item, number[each]) for item, row in enumerate(rows) for each in dict.fromkeys(row or ())]
    item, column = (np.array(each, np.int64) for each in zip(*pairs, strict=True)) if pairs else ([], [])
    return _rarity(np.asarray(item), np.asarray(column), len(rows), len(known)), known


def _rarity(item: NDArray[np.int64], column: NDArray[np.int64], items: int, width: int) -> Sparse:
    from scipy.sparse import csr_array

    frequency = np.bincount(column.astype(np.int64), minlength=width)
    weight = np.log((1 + items) / (1 + frequency)) + 1
    values = weight[column.astype(np.int64)].astype(np.float32)
    return csr_array((values, (item, column)), shape=(items, width))


def _numbers(column: polars.Series) -> tuple[Sparse, list[str]]:
    """Between quantiles: what lies between two of them belongs to both, the nearer the more."""
    from scipy.sparse import csr_array

    values = column.fill_null(float("nan")).to_numpy().astype(np.float64)
    known = np.flatnonzero(np.isfinite(values))
    knots = np.unique(np.quantile(values[known], np.linspace(0, 1, _KNOTS))) if len(known) else np.zeros(1)
    position = np.interp(values[known], knots, np.arange(len(knots)))
    low = np.floor(position).astype(np.int64)
    high = np.minimum(low + 1, len(knots) - 1)
    share = position - low
    data = np.concatenate([1 - share, share]).astype(np.float32)
    where = (np.concatenate([known, known]), np.concatenate([low, high]))
    found = csr_array((data, where), shape=(len(values), len(knots)))
    found.eliminate_zeros()
    return found, [f"about {knot:g}" for knot in knots]


def _words(texts: Sequence[str], most: int) -> tuple[Sparse, list[str]]:
    require(("sklearn",), "words of descriptions", extra="recommend")
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not any(any(each.isalnum() for each in text) for text in texts):
        return csr_array((len(texts), 0), dtype=np.float32), []
    word = r"(?u)\w+"
    vectorizer = TfidfVectorizer(max_features=most, sublinear_tf=True, dtype=np.float32, token_pattern=word)
    return csr_array(vectorizer.fit_transform(texts)), list(vectorizer.get_feature_names_out())


def _meant(texts: Sequence[str], meaning: Meaning) -> tuple[Sparse, list[str]]:
    """Vectors from the mean of all: what every text says tells none apart. Directions have no names of their own."""
    from scipy.sparse import csr_array

    described = np.array([any(each.isalnum() for each in text) for text in texts], np.bool_)
    if not described.any():
        return csr_array((len(texts), 0), dtype=np.float32), []
    distinct, position = np.unique(np.asarray(texts, object)[described].astype(str), return_inverse=True)
    vectors = meaning(distinct.tolist())[position]
    found = np.zeros((len(texts), vectors.shape[1]), np.float32)
    found[described] = vectors - vectors.mean(axis=0)
    return csr_array(found), ["meaning"] * found.shape[1]


def _unit(rows: Sparse) -> Sparse:
    """With rows of length 1."""
    from scipy.sparse import csr_array, diags_array

    lengths = np.sqrt(np.asarray(rows.power(2).sum(axis=1), np.float64).ravel())
    scale = np.where(lengths > 0, 1 / np.maximum(lengths, 1e-30), 0)
    return csr_array(diags_array(scale) @ rows).astype(np.float32)
