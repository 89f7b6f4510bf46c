"""Tokens learned from texts, and a first meaning for each from the company it keeps."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PADDING, UNKNOWN = 0, 1
_SPECIAL = ("[PAD]", "[UNK]")
_LONGEST_PIECE = 8
_LONGEST_LINE = 400
_REACH = 5
_SMOOTHING = 0.75
_SCALE = 0.3


def learn_tokenizer(texts: Sequence[str], size: int, kind: Literal["subwords", "characters"]) -> Tokenizer:
    """Subwords by byte pair encoding (Sennrich et al. 2016), or the characters themselves; width, case and spaces are
    made one. Needs no words to be marked, so it is the same for Chinese and English.

    The same texts give the same tokens: the library's trainer of unigram models does not keep that, and is slower.
    """
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

    normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(r"\s+"), " ")]
    )
    if kind == "characters":
        made = Tokenizer(models.WordLevel(unk_token=_SPECIAL[1]))
        made.pre_tokenizer = pre_tokenizers.Split(Regex(r"\s*\S"), "isolated")
        trainer: trainers.Trainer = trainers.WordLevelTrainer(
            vocab_size=size, min_frequency=2, special_tokens=list(_SPECIAL), show_progress=False
        )
    else:
        made = Tokenizer(models.BPE(unk_token=_SPECIAL[1]))
        made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.UnicodeScripts()])
        trainer = trainers.BpeTrainer(
            vocab_size=size, special_tokens=list(_SPECIAL), max_token_length=_LONGEST_PIECE, show_progress=False
        )
    made.normalizer = normalizer
    before = os.environ.get("TOKENIZERS_PARALLELISM")
    made.train_from_iterator((text[:_LONGEST_LINE] for text in texts), trainer)
    if before is None:
        os.environ.pop("TOKENIZERS_PARALLELISM", None)
    return made


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
