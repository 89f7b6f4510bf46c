"""Hashed ngrams of texts, against the definition written out one ngram at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glassworks.errors import BundleError
from glassworks.families._text.tokens import learn_tokenizer
from glassworks.text.ngrams import (
    KnownNgrams,
    code_points,
    hashed_ngrams,
    hashed_pairs,
    known_ngrams,
    load_ngrams,
    ngram_offsets,
    pair_offsets,
    save_ngrams,
)
from glassworks.text.tokenization import Tokenization

ORDERS = (1, 2, 3, 4)
TEXTS = ["物流很快，質量好", "The  ﬁrst ½ ＡＢＣ　全角", "e\u0301x  y\t\nz", "👩‍👩‍👧 ok", " a ", "ﷺ是ﷺ"]


def plain_hash(seed: int, values: list[int]) -> int:
    mixed = seed
    for value in values:
        mixed = (mixed * 1_000_003 % 2**64) ^ value
    mixed = (mixed ^ (mixed >> 29)) * 0x9E3779B97F4A7C15 % 2**64
    return mixed >> 24


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
def test_ngrams_are_all_runs_of_characters_with_their_offsets(text: str) -> None:
    hashes, offsets = hashed_ngrams(code_points(text), ORDERS), ngram_offsets(np.arange(len(text)) + 7, ORDERS)
    wanted = [
        (plain_hash(order, [ord(each) for each in text[begin : begin + order]]), begin + 7, begin + order + 7)
        for order in ORDERS
        for begin in range(len(text) - order + 1)
    ]
    assert [(value, *span) for value, span in zip(hashes.tolist(), offsets.tolist(), strict=True)] == wanted


def test_pairs_are_of_neighboring_tokens() -> None:
    hashes, offsets = hashed_pairs(np.array([5, 9, 4])), pair_offsets(np.array([[0, 2], [2, 3], [5, 9]]))
    assert hashes.tolist() == [plain_hash(1000, [5, 9]), plain_hash(1000, [9, 4])]
    assert offsets.tolist() == [[0, 3], [2, 9]]


def test_hashes_are_found_as_by_search_also_where_many_begin_alike() -> None:
    generator = np.random.default_rng(0)
    alike = (7 << 20) + generator.integers(0, 2**20, 40)
    known = np.unique(np.concatenate([generator.integers(0, 2**40, 3000), alike, [0, 2**40 - 1]]))
    asked = np.concatenate(
        [generator.permutation(known)[:500], generator.integers(0, 2**40, 500), alike + 1, known[-1:]]
    )
    wanted = known_ngrams(asked, known)
    indices, rows = KnownNgrams(known).find(asked)
    assert rows.tolist() == np.flatnonzero(wanted).tolist()
    assert indices.tolist() == wanted[rows].tolist()
    assert [len(each) for each in KnownNgrams(known).find(np.zeros(0, np.int64))] == [0, 0]


def test_known_ngrams_take_five_bytes_each_and_come_back(tmp_path: Path) -> None:
    known = np.unique(np.random.default_rng(0).integers(0, 2**40, 1000))
    save_ngrams(tmp_path / "pieces.npy", known)
    assert load_ngrams(tmp_path / "pieces.npy").tolist() == known.tolist()
    assert (tmp_path / "pieces.npy").stat().st_size < 5 * 1000 + 200


@pytest.mark.parametrize("content", [b"nothing", np.zeros(4, np.int64), np.zeros((0, 5), np.uint8)])
def test_a_file_without_hashes_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "pieces.npy"
    path.write_bytes(content) if isinstance(content, bytes) else np.save(path, np.asarray(content))
    with pytest.raises(BundleError, match=r"pieces\.npy holds no hashes"):
        load_ngrams(path)


@pytest.mark.parametrize("text", TEXTS)
def test_a_window_holds_each_known_ngram_once_at_its_first_position(tmp_path: Path, text: str) -> None:
    (tmp_path / "tokenizer.json").write_text(learn_tokenizer(TEXTS * 3, 64, "characters").to_str(), encoding="utf-8")
    settings = {"tokenizer": "tokenizer.json", "max_tokens": 64, "max_windows": 4, "inputs": {}, "piece_orders": ORDERS}
    everything = Tokenization(tmp_path, settings).windows(text)[0]
    assert everything.ngrams.tolist() == sorted(set(everything.ngrams.tolist()))
    known = everything.ngrams[::2]
    save_ngrams(tmp_path / "pieces.npy", known)
    window = Tokenization(tmp_path, {**settings, "pieces": "pieces.npy"}).windows(text)[0]
    assert window.ngrams.tolist() == list(range(1, len(known) + 1))
    assert window.ngram_offsets.tolist() == everything.ngram_offsets[::2].tolist()


@pytest.mark.parametrize("known", [True, False])
def test_many_texts_are_read_as_each_alone(tmp_path: Path, known: bool) -> None:
    (tmp_path / "tokenizer.json").write_text(learn_tokenizer(TEXTS * 3, 64, "characters").to_str(), encoding="utf-8")
    settings = {"tokenizer": "tokenizer.json", "max_tokens": 8, "overlap": 2, "max_windows": 99, "inputs": {}}
    settings["piece_orders"] = ORDERS
    texts = ["", *TEXTS, " ", "a", "".join(TEXTS), "\u4e2d" * 20, ""]
    if known:
        everything = [w.ngrams for text in texts for w in Tokenization(tmp_path, settings).windows(text)]
        save_ngrams(tmp_path / "pieces.npy", np.unique(np.concatenate(everything))[1::2])
        settings["pieces"] = "pieces.npy"
    tokenization = Tokenization(tmp_path, settings)
    for text, read in zip(texts, tokenization.read(texts), strict=True):
        alone = tokenization.windows(text)
        assert len(read) == len(alone)
        for one, other in zip(read, alone, strict=True):
            assert one.ngrams.tolist() == other.ngrams.tolist()
            assert (one.ids.tolist(), one.weight) == (other.ids.tolist(), other.weight)
    assert tokenization.read([]) == []
