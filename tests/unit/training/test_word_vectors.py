"""Vectors that others have learned: found without importing anything, and only read when they are what they say."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from glassworks.errors import ConfigError, DataError
from glassworks.families._text.word_vectors import read_word_vectors

WORDS = {"book": (1.0, 2.0, 3.0), "书": (-1.0, 0.5, 0.25), "好": (3.0, 1.5, 0.75)}


def written(path: Path, words: Mapping[str, Sequence[float]] = WORDS, end: bytes = b"\n") -> Path:
    """A file of word2vec's binary form; `end` stands behind each vector."""
    rows = [word.encode() + b" " + struct.pack(f"<{len(values)}f", *values) + end for word, values in words.items()]
    path.write_bytes(f"{len(words)} {len(next(iter(words.values())))}\n".encode() + b"".join(rows))
    return path


@pytest.mark.parametrize("end", [b"\n", b""])
def test_words_have_their_vectors_and_others_the_mean_of_their_characters(tmp_path: Path, end: bytes) -> None:
    vectors = read_word_vectors(f"file:{written(tmp_path / 'words', end=end)}")
    assert vectors.width == 3
    found = vectors.of(["", "书", " book", "好书", "书x", "nothing"])
    np.testing.assert_array_equal(
        found, [(0, 0, 0), WORDS["书"], WORDS["book"], (1.0, 1.0, 0.5), WORDS["书"], (0, 0, 0)]
    )


def test_a_changed_file_has_another_hash(tmp_path: Path) -> None:
    first = read_word_vectors(f"file:{written(tmp_path / 'a')}")
    assert first.sha256 == read_word_vectors(f"file:{written(tmp_path / 'b')}").sha256
    assert first.sha256 != read_word_vectors(f"file:{written(tmp_path / 'c', {'book': (1.0, 2.0, 4.0)})}").sha256


def test_a_package_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "holds_vectors"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')", encoding="utf-8")
    written(package / "data" / "words.vector")
    monkeypatch.syspath_prepend(tmp_path)
    assert len(read_word_vectors("package:holds_vectors/data/words.vector").offsets) == len(WORDS)
    with pytest.raises(DataError, match=r"no installed package holds the module 'holds_vectors\.data'"):
        read_word_vectors("package:holds_vectors.data/words.vector")
    with pytest.raises(DataError, match=r"has no '\.\./words'"):
        written(tmp_path / "words")
        read_word_vectors("package:holds_vectors/../words")


@pytest.mark.parametrize(
    ("source", "kind", "problem"),
    [
        ("words.bin", ConfigError, "'model.vectors' is 'words.bin'"),
        ("url:somewhere/words", ConfigError, "'model.vectors' is 'url:somewhere/words'"),
        ("package:numpy", ConfigError, "'model.vectors' is 'package:numpy'"),
        ("package:no_such_library/words", DataError, "no installed package holds the module 'no_such_library'"),
        ("package:numpy/no.vector", DataError, "the installed library 'numpy' has no 'no.vector'"),
        ("file:/no/such/file", DataError, "/no/such/file cannot be read: No such file"),
        ("file:/", DataError, "/ cannot be read: Is a directory"),
    ],
)
def test_vectors_that_are_not_there(source: str, kind: type[Exception], problem: str) -> None:
    with pytest.raises(kind, match=re.escape(problem)) as caught:
        read_word_vectors(source)
    assert len(str(caught.value).splitlines()) == 2


WORD = b"a " + struct.pack("<2f", 1, 2)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it is empty"),
        (b"\x80\x03}q\x00.", "its first line is not two numbers"),
        (b"1 2 3\n" + WORD, "its first line is not two numbers"),
        (b"-1 2\n" + WORD, "its first line is not two numbers"),
        (b"1 2" + b" " * 99 + b"\n" + WORD, "its first line is not two numbers"),
        (b"0 2\n", "0 words of 2 values"),
        (b"1 0\n" + WORD, "1 words of 0 values"),
        (b"1 99999\n" + WORD, "1 words of 99999 values"),
        (b"999999999999999999 4096\n" + WORD, "cannot hold 999,999,999,999,999,999 words of 4096 values"),
        (b"2 2\n" + WORD + WORD[:-1], "cannot hold 2 words of 2 values"),
        (b"2 2\n" + b"long" + WORD + WORD[:-1], "it is cut short within word 2 of 2"),
        (b"1 2\n" + b"x" * 2000 + WORD, "behind word 0 of 1 there is no further word"),
        (b"1 2\n" + WORD + WORD, "10 bytes stand behind the 1 words"),
    ],
)
def test_a_file_that_holds_none(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "words").write_bytes(content)
    with pytest.raises(DataError, match=re.escape(problem)) as caught:
        read_word_vectors(f"file:{tmp_path / 'words'}")
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_vector_that_is_not_finite(tmp_path: Path, value: float) -> None:
    vectors = read_word_vectors(f"file:{written(tmp_path / 'words', {'book': (1.0, value)})}")
    with pytest.raises(DataError, match="a vector is not finite"):
        vectors.of(["book"])
