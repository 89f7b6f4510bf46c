"""Tokens learned from texts, and a first meaning for each from the company it keeps."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Kind = Literal["words", "subwords", "characters"]
PADDING, UNKNOWN = 0, 1
_SPECIAL = ("[PAD]", "[UNK]")
_LONGEST_PIECE = 8
_RARE = 0.5
"""What a character counts as that never stands alone."""
_LONGEST_LINE = 400
_REACH = 5
_SMOOTHING = 0.75
_SCALE = 0.3


def learn_tokenizer(texts: Sequence[str], size: int, kind: Kind) -> Tokenizer:
    """Words, Chinese ones too; or subwords by byte pair encoding (Sennrich et al. 2016), which may span two Chinese
    words; or the characters themselves. Width, case and spaces are made one. The same texts give the same tokens.
    """
    from tokenizers import Regex, normalizers

    normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(r"\s+"), " ")]
    )
    lines = [text[:_LONGEST_LINE] for text in texts]
    made = _words([normalizer.normalize_str(line) for line in lines], size) if kind == "words" else _untrained(kind)
    made.normalizer = normalizer
    if kind != "words":
        _train(made, lines, size, kind)
    return made


def _words(lines: Sequence[str], size: int) -> Tokenizer:
    """The most frequent words, and characters of which rarer words are made up; of all ways to cut a text the likeliest
    one is taken (Kudo 2018, equation 1, with the words' shares as their probabilities)."""
    import rjieba
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = Counter(word for line in lines for part in rjieba.cut(line) if (word := part.strip()))
    signs = Counter[str]()
    for word, count in words.items():
        signs.update(dict.fromkeys(word, count))
    kept = [sign for sign, count in sorted(signs.items(), key=_often) if count > 1][: size // 2]
    alone = set(kept)
    more = [word for word, _ in sorted(words.items(), key=_often) if len(word) <= _LONGEST_PIECE and word not in alone]
    total = max(1, sum(words.values()))
    tokens = [*kept, *more[: size - len(_SPECIAL) - len(kept)]]
    scores = [(token, math.log(max(words[token], _RARE) / total)) for token in tokens]
    made = Tokenizer(models.Unigram([*((name, 0.0) for name in _SPECIAL), *scores], unk_id=UNKNOWN))
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.UnicodeScripts()])
    made.add_special_tokens(list(_SPECIAL))
    return made


def _often(item: tuple[str, int]) -> tuple[int, str]:
    """Frequent ones first, always in the same order."""
    return -item[1], item[0]


def _untrained(kind: Kind) -> Tokenizer:
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    if kind == "characters":
        made = Tokenizer(models.WordLevel(unk_token=_SPECIAL[1]))
        made.pre_tokenizer = pre_tokenizers.Split(Regex(r"\s*\S"), "isolated")
        return made
    made = Tokenizer(models.BPE(unk_token=_SPECIAL[1]))
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.UnicodeScripts()])
    return made


def _train(made: Tokenizer, lines: Sequence[str], size: int, kind: Kind) -> None:
    from tokenizers import trainers

    trainer: trainers.Trainer
    if kind == "characters":
        trainer = trainers.WordLevelTrainer(
            vocab_size=size, min_frequency=2, special_tokens=list(_SPECIAL), show_progress=False
        )
    else:
        trainer = trainers.BpeTrainer(
            vocab_size=size, special_tokens=list(_SPECIAL), max_token_length=_LONGEST_PIECE, show_progress=False
        )
    before = os.environ.get("TOKENIZERS_PARALLELISM")
    made.train_from_iterator(lines, trainer)
    if before is None:
        os.environ.pop("TOKENIZERS_PARALLELISM", None)


def first_vectors(lines: Sequence[NDArray[np.int64]], tokens: int, width: int, seed: int) -> NDArray[np.float32]:
    """Vectors (tokens x width): the singular vectors of positive pointwise mutual information with neighbors.

    Levy and Goldberg (2014): what skip-gram with negative sampling factorizes, in one pass. Neighbors count by the
    inverse of their distance, up to 5; contexts are smoothed by the power 0.75.
    """
    from sklearn.utils.extmath import randomized_svd

    counts = _neighbors(lines, tokens)
    total = np.asarray(counts.sum(axis=1)).ravel() + 1e-9
    context = np.asarray(counts.sum(axis=0)).ravel() ** _SMOOTHING
    pairs = counts.tocoo()
    information = np.log(pairs.data / (total[pairs.row] * context[pairs.col] / context.sum() + 1e-12))
    kept = information > 0
    matrix = csr_matrix((information[kept], (pairs.row[kept], pairs.col[kept])), shape=(tokens, tokens))
    rank = min(width, tokens - 1)
    left, strength, _ = randomized_svd(matrix, rank, random_state=seed)
    vectors = np.zeros((tokens, width), np.float32)
    vectors[:, :rank] = left * np.sqrt(strength)
    vectors *= _SCALE / max(float(vectors.std()), 1e-6)
    vectors[PADDING] = 0
    return vectors


def _neighbors(lines: Sequence[NDArray[np.int64]], tokens: int) -> csr_matrix:
    gap = np.full(_REACH, -1, np.int64)
    flat = np.concatenate([part for line in lines for part in (line, gap)])
    counts = csr_matrix((tokens, tokens), dtype=np.float64)
    for distance in range(1, _REACH + 1):
        left, right = flat[:-distance], flat[distance:]
        both = (left > UNKNOWN) & (right > UNKNOWN)
        weight = np.full(int(both.sum()), 1 / distance)
        counts = counts + coo_matrix((weight, (left[both], right[both])), shape=(tokens, tokens)).tocsr()
    return counts + counts.T
