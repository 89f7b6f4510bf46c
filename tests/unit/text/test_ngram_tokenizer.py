"""N-grams with tokens of their own: the tokenization whose only tokens these are is the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.text.texts import strings
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from glassworks.families._text.tokens import learn_tokenizer
from glassworks.text.tokenization import Tokenization

TEXTS = [
    "这本书昨天送到了，包装很好",
    "the wonderful book arrived on monday",
    "服务 很差 terrible service",
    "Ⅷ ﬁne café",
]
SETTINGS: dict[str, Any] = {"max_tokens": 4096, "max_windows": 99, "inputs": {}, "piece_orders": [1, 2, 3]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`bert.json` puts spaces around Chinese characters, as BERT's do; `words.json` has words."""
    folder = tmp_path_factory.mktemp("fronts")
    bert = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    bert.normalizer = normalizers.BertNormalizer(lowercase=True)
    bert.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=120, special_tokens=["[PAD]", "[UNK]"], show_progress=False)
    bert.train_from_iterator(TEXTS * 3, trainer)
    bert.save(str(folder / "bert.json"))
    (folder / "words.json").write_text(learn_tokenizer(TEXTS * 3, 200, "words").to_str(), encoding="utf-8")
    return folder


def both(folder: Path, **changes: Any) -> Tokenization:
    return Tokenization(folder, {**SETTINGS, "tokenizer": "bert.json", "piece_tokenizer": "words.json", **changes})


@pytest.mark.parametrize("text", TEXTS)
def test_ngrams_are_those_of_the_other_tokens(folder: Path, text: str) -> None:
    (window,) = both(folder).windows(text)
    (words,) = Tokenization(folder, {**SETTINGS, "tokenizer": "words.json"}).windows(text)
    (bert,) = Tokenization(folder, {**SETTINGS, "tokenizer": "bert.json"}).windows(text)
    assert window.ids.tolist() == bert.ids.tolist()
    assert window.ngrams.tolist() == words.ngrams.tolist()
    assert window.ngram_offsets.tolist() == words.ngram_offsets.tolist()
    assert words.ngrams.tolist() != bert.ngrams.tolist()


def test_many_texts_are_read_as_each_alone_in_windows(folder: Path) -> None:
    tokenization = both(folder, max_tokens=8, overlap=2)
    texts = ["", *TEXTS, " ", "".join(TEXTS), *(text for text in strings(80) if len(text) < 200)]
    longer = 0
    for text, read in zip(texts, tokenization.read(texts), strict=True):
        alone = tokenization.windows(text)
        longer += len(alone) > 1
        assert [window.ngrams.tolist() for window in read] == [window.ngrams.tolist() for window in alone]
        for window in alone:
            covered = window.ngram_offsets
            assert (covered >= 0).all()
            assert (covered <= len(text)).all()
            inside = window.offsets[window.offsets[:, 1] > window.offsets[:, 0]]
            if len(inside):
                assert covered[:, 0].min() >= inside[:, 0].min()
                assert covered[:, 1].max() <= inside[:, 1].max()
    assert longer > 5


def test_a_ngram_between_tokens_belongs_to_the_one_before() -> None:
    from glassworks.text.subject import _cover
    from glassworks.text.tokenization import Window

    offsets = np.array([[0, 0], [1, 3], [5, 8], [0, 0]])
    ngrams = np.array([[1, 3], [3, 5], [0, 1], [2, 6], [8, 9]])
    window = Window(ids=np.arange(4), offsets=offsets, ngrams=np.arange(5), ngram_offsets=ngrams, weight=2)
    assert _cover(window).tolist() == [[0, 1], [1, 1], [2, 1], [3, 1], [3, 2], [4, 2]]
