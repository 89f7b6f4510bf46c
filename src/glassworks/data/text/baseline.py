"""The linear n-gram classifier that every text model is held against, and what it tells about the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassworks.catalog import require

if TYPE_CHECKING:
    from glassworks.contracts import Split

_STRENGTHS = (1.0, 4.0, 16.0)
_FOLDS = 5


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Probabilities (N K) of the chosen classifier on other texts, and its `strength` (inverse regularization)."""

    strength: float
    model: Any

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """N x K."""
        found = self.model.predict_proba(list(texts))
        return np.asarray(found, np.float64)


def fit_baseline(train: Split, validation: Split) -> Baseline:
    """Logistic regression on tf-idf of one to four characters and of words and pairs of words; its strength is chosen
    on the validation texts. Raises MissingLibrary."""
    best: tuple[float, float, Any] | None = None
    features = _features()
    x, held = features.fit_transform(list(train.x)), features.transform(list(validation.x))
    for strength in _STRENGTHS:
        classifier = _classifier(strength, several=train.y.ndim == 2)
        classifier.fit(x, train.y)
        score = float(np.mean(classifier.predict(held) == validation.y))
        if best is None or score > best[0]:
            best = (score, strength, classifier)
    if best is None:
        raise AssertionError
    from sklearn.pipeline import make_pipeline

    return Baseline(strength=best[1], model=make_pipeline(features, best[2]))


def cross_validated(texts: Sequence[str], targets: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Out-of-fold probabilities (N K): each text judged by a classifier that saw neither it nor a copy of it."""
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(_features(), _classifier(_STRENGTHS[1], several=False))
    folds = GroupKFold(n_splits=_FOLDS)
    return np.asarray(cross_val_predict(model, list(texts), targets, groups=groups, cv=folds, method="predict_proba"))


def _features() -> Any:
    require(("sklearn",), "the n-gram baseline", extra="text")
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    characters = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), min_df=2, sublinear_tf=True, dtype=np.float32)
    words = TfidfVectorizer(
        tokenizer=words_of, token_pattern=None, ngram_range=(1, 2), min_df=2, sublinear_tf=True, dtype=np.float32
    )
    return make_union(characters, words)


def words_of(text: str) -> list[str]:
    """Words, Chinese ones too."""
    require(("rjieba",), "finding words", extra="text")
    import rjieba

    found: list[str] = rjieba.cut(text.lower())
    return [word for word in found if not word.isspace()]


def _classifier(strength: float, *, several: bool) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    single = LogisticRegression(C=strength, solver="liblinear", random_state=0)
    return OneVsRestClassifier(single)
