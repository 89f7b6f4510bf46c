"""Tokens of an encoder: counted as its tokenizer counts, and ids taken only where a text has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from glassworks.errors import InputError
from glassworks.text.embedding_tokens import EncoderTokens
from glassworks.text.tokenization import Tokenization

WORDS = ("[UNK]", "[CLS]", "[SEP]", "b", "##o", "##ok", "book", "##s", "a", ".")
CLS, SEP, B, LETTER, OK, BOOK = 1, 2, 3, 4, 5, 6
READING: dict[str, Any] = {
    "tokenizer": "tokenizer.json", "inputs": {"ids": "ids"}, "max_tokens": 10, "overlap": 2, "max_windows": 3,
    "prefix": [CLS], "suffix": [SEP],
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokens")
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(["[UNK]", "[CLS]", "[SEP]"])
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="module")
def tokens(folder: Path) -> EncoderTokens:
    return EncoderTokens(folder, READING)


def test_texts_are_counted_with_what_stands_around_them(tokens: EncoderTokens) -> None:
    assert tokens.count(["book", "books a.", ""] * 50) == [3, 6, 2] * 50


@given(st.lists(st.sampled_from(["book", "a", "books", "."]), max_size=40))
def test_a_text_is_read_up_to_what_is_counted_as_the_most(folder: Path, words: list[str]) -> None:
    text, tokens = " ".join(words), EncoderTokens(folder, READING)
    (count,) = tokens.count([text])
    if count <= tokens.most:
        assert Tokenization(folder, READING).read([text])
    else:
        with pytest.raises(InputError, match="at most 20 are read"):
            Tokenization(folder, READING).read([text])


@pytest.mark.parametrize("ids", [[BOOK], [CLS, BOOK, SEP], [BOOK, 7, 8, 9], [B, LETTER]])
def test_ids_of_a_text_become_the_text(tokens: EncoderTokens, ids: list[int]) -> None:
    inner = [each for each in ids if each not in (CLS, SEP)]
    assert tokens.count([tokens.text(ids)]) == [len(inner) + 2]


@pytest.mark.parametrize("ids", [[B, LETTER, OK], [LETTER], [B, LETTER, 99], [-1], [len(WORDS)]])
def test_ids_that_no_text_has_are_refused(tokens: EncoderTokens, ids: list[int]) -> None:
    with pytest.raises(InputError, match="check_embedding_ctx_length=False") as caught:
        tokens.text(ids)
    assert "any text" in str(caught.value) or "none with the id" in str(caught.value)
