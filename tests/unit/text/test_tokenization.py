"""Strings of all kinds become the tokens that training saw; every token stands for characters of the text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.unit.text.texts import PREPROCESSING, strings, tokenization

from glassworks.errors import BundleError, InputError
from glassworks.tasks.text_classification import TextClassification
from glassworks.text.ngrams import (
    Normalizer,
    code_points,
    hashed_ngrams,
    hashed_pairs,
    known_ngrams,
    ngram_offsets,
    pair_offsets,
    save_ngrams,
)
from glassworks.text.session import text_of
from glassworks.text.tokenization import Tokenization, padded


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenization")
    tokenization(path)
    return path


def test_tokens_are_the_librarys_on_a_thousand_strings(folder: Path) -> None:
    from tokenizers import Tokenizer

    library = Tokenizer.from_file(str(folder / "tokenizer.json"))
    ours = tokenization(folder, max_tokens=2**15, overlap=0, max_windows=1)
    assert len(strings()) == 1000
    for text in strings():
        (window,) = ours.windows(text)
        wanted = library.encode(text, add_special_tokens=False)
        assert window.ids.tolist() == (wanted.ids or [0]), repr(text[:80])
        if wanted.ids:
            assert window.offsets.tolist() == [list(span) for span in wanted.offsets]


def test_what_is_sent_becomes_what_was_trained_on(folder: Path) -> None:
    """A stored text, encoded for the wire and read again, has the same tokens and ngrams; so has one decoded."""
    task, ours = TextClassification(), tokenization(folder, max_windows=2**20)
    texts = np.empty(1000, object)
    texts[:] = strings()
    for text, sent in zip(texts, task.encode(texts, {})["text"], strict=True):
        assert text_of(sent) == text
        assert text.startswith("\ufeff") or task.decode(sent, {}).item() == text
        again, first = ours.windows(text_of(sent))[0], ours.windows(text)[0]
        assert again.ids.tobytes() == first.ids.tobytes()
        assert again.ngrams.tobytes() == first.ngrams.tobytes()


def test_offsets_lie_in_the_text_and_in_order(folder: Path) -> None:
    ours = tokenization(folder, max_windows=2**20)
    for text in strings():
        for window in ours.windows(text):
            offsets = window.offsets
            assert (offsets[:, 0] <= offsets[:, 1]).all()
            assert offsets.min() >= 0
            assert offsets.max() <= len(text)
            assert (np.diff(offsets[:, 0]) >= 0).all()
            assert window.ngram_offsets.min() >= 0
            assert window.ngram_offsets.max() <= len(text)
            assert (window.ngram_offsets[:, 0] <= window.ngram_offsets[:, 1]).all()


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 27, 28, 29, 40])
def test_windows_overlap_and_together_are_the_text(length: int, folder: Path) -> None:
    ours = tokenization(folder)
    text = "龘" * length  # one unknown token a character
    windows = ours.windows(text)
    starts = [int(window.offsets[0, 0]) for window in windows]
    assert starts == list(range(0, 12 * len(windows), 12))
    assert all(len(window.ids) == 16 for window in windows[:-1])
    covered = {index for window in windows for begin, end in window.offsets.tolist() for index in range(begin, end)}
    assert covered == set(range(length))
    assert [window.weight for window in windows] == [max(1, len(window.ids)) for window in windows]
    if len(windows) > 1:
        assert len(windows[-1].ids) > 4, "a window of overlap alone says nothing new"


@pytest.mark.parametrize(
    ("most", "length", "wanted"),
    [
        (1, 40, [0]),
        (2, 28, [0, 12]),
        (2, 29, [0, 13]),
        (2, 90, [0, 74]),
        (3, 40, [0, 12, 24]),
        (3, 90, [0, 12, 74]),
        (4, 90, [0, 12, 62, 74]),
    ],
)
def test_of_many_windows_the_first_and_the_last_are_read(
    most: int, length: int, wanted: list[int], folder: Path
) -> None:
    ours, text = tokenization(folder, windows=most), "龘" * length
    windows = ours.windows(text)
    assert [int(window.offsets[0, 0]) for window in windows] == wanted
    assert int(windows[-1].offsets[-1, 1]) == (length if most > 1 else 16)
    (read,) = ours.read([text])
    assert [each.ids.tolist() for each in read] == [each.ids.tolist() for each in windows]
    assert [each.ngrams.tolist() for each in read] == [each.ngrams.tolist() for each in windows]


def test_special_tokens_stand_around_each_window(folder: Path) -> None:
    ours = tokenization(folder, prefix=[150], suffix=[151, 152])
    for text in ("", "the book", "龘" * 30):
        for window in ours.windows(text):
            assert window.ids[0] == 150
            assert window.ids[-2:].tolist() == [151, 152]
            assert len(window.ids) <= 16
            assert not window.offsets[[0, -2, -1]].any()
            assert window.weight == max(1, len(window.ids) - 3)


def test_a_text_that_is_too_long_is_refused_with_the_limit(folder: Path) -> None:
    ours = tokenization(folder)
    most = 16 + 7 * 12
    assert len(ours.windows("龘" * most)) == 8
    with pytest.raises(InputError, match=r"the text has 101 tokens, at most 100 are read\nmend: send it in parts"):
        ours.windows("龘" * (most + 1))
    with pytest.raises(InputError, match="at most 100 are read"):
        ours.windows("word " * 200_000)


def test_hashes_never_change() -> None:
    """Golden: worked out with Python's integers from the definition, for "ab", "好" and the pair of tokens 3 and 5."""

    def by_hand(start: int, *values: int) -> int:
        mixed = start
        for value in values:
            mixed = (mixed * 1_000_003 % 2**64) ^ value
        mixed = (mixed ^ (mixed >> 29)) * 0x9E3779B97F4A7C15 % 2**64
        return mixed >> 24

    hashes, offsets = hashed_ngrams(code_points("ab好"), (1, 2)), ngram_offsets(np.array([10, 11, 14]), (1, 2))
    code = ord("好")
    wanted = [by_hand(1, 97), by_hand(1, 98), by_hand(1, code), by_hand(2, 97, 98), by_hand(2, 98, code)]
    assert hashes.tolist() == wanted
    assert hashes.tolist()[0] == 492284596577
    assert offsets.tolist() == [[10, 11], [11, 12], [14, 15], [10, 12], [11, 15]]
    assert hashed_pairs(np.array([3, 5])).tolist() == [by_hand(1000, 3, 5)]
    assert pair_offsets(np.array([[0, 2], [2, 3]])).tolist() == [[0, 3]]


def test_hashes_seldom_meet() -> None:
    hashes = hashed_ngrams(np.arange(0x4E00, 0x4E00 + 20_000, dtype=np.uint32), (1, 2, 3, 4))
    assert len(np.unique(hashes)) >= len(hashes) - 2
    assert hashes.max() < 2**40
    assert hashes.min() >= 0


def test_ngrams_are_the_same_whatever_stands_beside_them(folder: Path) -> None:
    """A character that becomes three (…) must not change how spaces and accents in the same text are read."""
    normalizer = Normalizer(tokenization(folder)._tokenizer)

    def normalized(text: str) -> list[tuple[str, int]]:
        points, indices = normalizer(text)
        return list(zip(map(chr, points.tolist()), indices.tolist(), strict=True))

    for text in ("a  e\u0301", "a  e\u0301…", "…a  e\u0301"):
        characters = normalized(text)
        assert "".join(character for character, _ in characters).replace(".", "") == "a é", text
        accent = text.index("e")
        assert ("é", accent) in characters
    assert normalized("ﬁ…") == [("f", 0), ("i", 0), (".", 1), (".", 1), (".", 1)]


def test_known_ngrams_are_counted_from_one(folder: Path, tmp_path: Path) -> None:
    known = np.array([5, 9, 12], np.int64)
    assert known_ngrams(np.array([4, 5, 9, 11, 12, 99]), known).tolist() == [0, 1, 2, 0, 3, 0]
    (plain,) = tokenization(folder).windows("the book")
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    save_ngrams(tmp_path / "pieces.npy", np.sort(plain.ngrams)[::2])
    (kept,) = Tokenization(tmp_path, {**PREPROCESSING, "pieces": "pieces.npy"}).windows("the book")
    assert kept.ngrams.tolist() == list(range(1, len(kept.ngrams) + 1))
    (nothing,) = Tokenization(tmp_path, {**PREPROCESSING, "pieces": "pieces.npy"}).windows("龘")
    assert nothing.ngrams.tolist() == [0]


def test_a_broken_bundle_says_so(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BundleError, match=r"tokenizer\.json is not a tokenizer"):
        Tokenization(tmp_path, PREPROCESSING)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(BundleError, match=r"tokenizer\.json is missing"):
        Tokenization(tmp_path, PREPROCESSING)
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    for content in (np.zeros(3, np.float32), np.zeros(0, np.int64), np.zeros((2, 2), np.int64)):
        np.save(tmp_path / "pieces.npy", content)
        with pytest.raises(BundleError, match=r"pieces\.npy holds no hashes"):
            Tokenization(tmp_path, {**PREPROCESSING, "pieces": "pieces.npy"})


def test_rows_are_filled_up_at_their_ends(folder: Path) -> None:
    ours = tokenization(folder, inputs={"ids": "a", "mask": "b", "lengths": "c", "pieces": "d"})
    windows = [ours.windows(text)[0] for text in ("龘龘龘", "", "龘")]
    tensors = ours.tensors(windows)
    assert tensors["a"].tolist() == [[1, 1, 1], [0, 0, 0], [1, 0, 0]]
    assert tensors["b"].tolist() == [[1, 1, 1], [1, 0, 0], [1, 0, 0]]
    assert tensors["c"].tolist() == [3, 1, 1]
    assert tensors["d"].shape[0] == 3
    assert padded([np.array([1, 2]), np.array([3])], 9).tolist() == [[1, 2], [3, 9]]
