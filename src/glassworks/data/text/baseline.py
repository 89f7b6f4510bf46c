"""The linear n-gram classifier that every text model is compared with, and what it finds in the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from glassworks.catalog import require
from glassworks.text.ngrams import regress
from glassworks.text.words import cut_words

if TYPE_CHECKING:
    from glassworks.contracts import Split

Counts = Any
"""How often each n-gram occurs in each text: a sparse matrix, N P."""
_STRENGTHS = (1.0, 4.0, 16.0)
"""Inverse regularizations to choose from."""
_LONGEST, _LEAST_TEXTS, _FOLDS = 4, 2, 5
_MOST_CHARACTERS, _MOST_TEXTS = 20_000, 100_000
"""It has to stay quick: longer texts are read up to there, and more texts are a random choice of so many."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Logistic regression of `strength` on tf-idf of the n-grams in `columns`: one a label, weights P K and bias K.

    `multi_label`: labels do not exclude each other.
    """

    strength: float
    columns: NDArray[np.int64]
    weighing: Any
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    multi_label: bool

    def probabilities(self, counts: Counts) -> NDArray[np.float64]:
        """N x K."""
        weighed = self.weighing.transform(counts[:, self.columns])
        return _probabilities(weighed, self.weights, self.bias, self.multi_label)


def count_ngrams(texts: Sequence[str]) -> Counts:
    """Runs of one to four characters, words and pairs of words that occur in at least two of the texts.

    Raises MissingLibrary.
    """
    require(("sklearn",), "the n-gram baseline", extra="text")
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(analyzer=ngrams_of, min_df=min(_LEAST_TEXTS, len(texts)), dtype=np.float32).fit_transform(
        texts
    )


def fit_baseline(
    train: Counts,
    targets: NDArray[np.int64],
    validation: Counts,
    validation_targets: NDArray[np.int64],
    labels: int,
    strengths: Sequence[float] = _STRENGTHS,
) -> Baseline:
    """Fit one of each strength on the training texts; the most accurate one on the validation texts is taken.

    `targets` are int64 N, or 0 and 1 in N K; only n-grams of at least two training texts count.
    """
    from sklearn.feature_extraction.text import TfidfTransformer

    columns = np.flatnonzero(train.getnnz(axis=0) >= min(_LEAST_TEXTS, train.shape[0])).astype(np.int64)
    weighing = TfidfTransformer(sublinear_tf=True)
    x, unseen = weighing.fit_transform(train[:, columns]), weighing.transform(validation[:, columns])
    multi_label = targets.ndim == 2
    fitted = [(*regress(x, targets, labels, strength), strength) for strength in strengths]
    scores = [_accuracy(_probabilities(unseen, *each[:2], multi_label), validation_targets) for each in fitted]
    weights, bias, strength = fitted[int(np.argmax(scores))]
    return Baseline(
        strength=strength, columns=columns, weighing=weighing, weights=weights, bias=bias, multi_label=multi_label
    )


def baseline_probabilities(splits: Mapping[str, Split], labels: int) -> NDArray[np.float64]:
    """N x K for the texts of `test`, by a baseline fitted on `train` and chosen on `validation`."""
    chosen = choose_texts(len(splits["train"]))
    train, validation, test = splits["train"], splits["validation"], splits["test"]
    counts = count_ngrams([*train.x[chosen].tolist(), *validation.x.tolist(), *test.x.tolist()])
    first, second = len(chosen), len(chosen) + len(validation)
    fitted = fit_baseline(counts[:first], train.y[chosen], counts[first:second], validation.y, labels)
    return fitted.probabilities(counts[second:])


def choose_texts(count: int) -> NDArray[np.int64]:
    """Rows to learn from: all, or of very many a random choice that is always the same."""
    if count <= _MOST_TEXTS:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, _MOST_TEXTS, replace=False)).astype(np.int64)


def cross_validated(
    counts: Counts, targets: NDArray[np.int64], groups: NDArray[np.int64], labels: int
) -> NDArray[np.float64]:
    """Out-of-fold probabilities (N K): each text scored by a classifier that saw neither it nor a copy of it.

    `groups` are int64 N, at least two different ones.
    """
    from sklearn.model_selection import GroupKFold

    folds = GroupKFold(n_splits=min(_FOLDS, len(np.unique(groups))), shuffle=True, random_state=0)
    found = np.zeros((len(targets), labels))
    for seen, other in folds.split(groups, groups=groups):
        one = fit_baseline(counts[seen], targets[seen], counts[seen[:1]], targets[seen[:1]], labels, _STRENGTHS[1:2])
        found[other] = one.probabilities(counts[other])
    return found


def ngrams_of(text: str) -> list[str]:
    """Runs of characters, words and pairs of words, and one that every text has: no text is without any."""
    text = " ".join(text[:_MOST_CHARACTERS].lower().encode("utf-8", "replace").decode().split())
    runs = [text[at : at + size] for size in range(1, _LONGEST + 1) for at in range(len(text) - size + 1)]
    words = words_of(text)
    # The mark keeps a word apart from the same run of characters.
    return [
        "",
        *runs,
        *(f"\0{word}" for word in words),
        *(f"\0{word}\0{after}" for word, after in pairwise(words)),
    ]


def words_of(text: str) -> list[str]:
    """Words and signs, without blanks."""
    return [word for word in cut_words(text) if not word.isspace()]


def _probabilities(
    x: Counts, weights: NDArray[np.float64], bias: NDArray[np.float64], multi_label: bool
) -> NDArray[np.float64]:
    found: NDArray[np.float64] = expit(x @ weights + bias)
    return found if multi_label else found / found.sum(axis=1, keepdims=True)


def _accuracy(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    predicted = probabilities >= 0.5 if targets.ndim == 2 else probabilities.argmax(axis=1)
    return float(np.mean(predicted == targets))
