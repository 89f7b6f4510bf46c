"""Tokens are learned from texts: the same from the same ones, quietly, in any script."""

from __future__ import annotations

import numpy as np
import pytest

from glassworks.data.text.synthetic import synthetic_text
from glassworks.families._text.tokens import PADDING, UNKNOWN, Kind, learn_tokenizer
from glassworks.families._text.training import first_vectors


def planted(count: int = 300) -> list[str]:
    """Texts in two languages."""
    generator = np.random.default_rng(0)
    return [synthetic_text(generator, ("negative", "positive")[row % 2], 12) for row in range(count)]


@pytest.mark.parametrize("kind", ["words", "subwords", "characters"])
def test_the_same_texts_give_the_same_tokens(kind: Kind, capfd: pytest.CaptureFixture[str]) -> None:
    made = {learn_tokenizer(planted(), 200, kind).to_str() for _ in range(3)}
    assert len(made) == 1
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("kind", ["words", "subwords", "characters"])
def test_width_case_and_spaces_are_made_one(kind: Kind) -> None:
    tokenizer = learn_tokenizer(planted(), 200, kind)
    plain = tokenizer.encode("the book on monday", add_special_tokens=False).ids
    assert UNKNOWN not in plain
    for same in ("ＴＨＥ  Book\non Monday", "the\u3000book\ton \r\n monday"):
        assert tokenizer.encode(same, add_special_tokens=False).ids == plain
    unknown = tokenizer.encode("龘", add_special_tokens=False)
    assert unknown.ids == [UNKNOWN]
    assert unknown.offsets == [(0, 1)]


def test_chinese_is_cut_into_words_and_rare_ones_into_characters() -> None:
    tokenizer = learn_tokenizer(["这本书的包装很好", "包装和颜色都很好", "颜色很好看", "看颜"] * 3, 60, "words")
    assert tokenizer.encode("颜色和包装很好").tokens == ["颜色", "和", "包装", "很", "好"]
    assert tokenizer.encode("好颜").tokens == ["好", "颜"]


def test_words_in_like_company_get_like_vectors() -> None:
    """Two words that replace each other lie closer than two that do not."""
    generator = np.random.default_rng(1)
    lines = [np.array([2, 3 + generator.integers(2), 4 + 2, 7, 8, 9 + generator.integers(2)]) for _ in range(400)]
    vectors = first_vectors(lines, 11, 6, seed=0)
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    assert unit[3] @ unit[4] > 0.9
    assert unit[3] @ unit[4] > unit[3] @ unit[9] + 0.2
    assert not vectors[PADDING].any()
    assert np.array_equal(vectors, first_vectors(lines, 11, 6, seed=0))
