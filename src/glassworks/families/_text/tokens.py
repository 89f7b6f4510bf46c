"""Texts as a network reads them: tokens learned from the texts themselves, and windows of these tokens."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glassworks.catalog import get
from glassworks.contracts import Progress, Split, Task
from glassworks.families._text.ngrams import Bags
from glassworks.text.tokenization import Tokenization, padded
from glassworks.text.words import cut_words

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from tokenizers.pre_tokenizers import PreTokenizer

Kind = Literal["words", "subwords", "characters"]
PADDING, UNKNOWN = 0, 1
TOKENIZER = "tokenizer.json"
LEARNED_WINDOWS = 4
"""Most windows of a text to learn from."""
_SPECIAL = ("[PAD]", "[UNK]")
_LONGEST_SUBWORD = 8
_RARE = 0.5
"""What a character counts as that never stands alone."""
_LONGEST_LINE = 400


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Windows (W T) of some texts (N): `owner` (W) is each one's text, `weight` (W) its share of it."""

    ids: Tensor
    mask: Tensor
    owner: Tensor
    weight: Tensor
    texts: int

    def averaged(self, values: Tensor) -> Tensor:
        """Values of windows (W ...) averaged over each text (N ...), as the served model does."""
        if self.texts == len(values):
            return values
        empty = torch.zeros(self.texts, values.shape[1], dtype=values.dtype, device=values.device)
        weighted = values * self.weight.to(values.device)[:, None]
        return empty.index_add(0, self.owner.to(values.device), weighted)


@dataclass(frozen=True, kw_only=True)
class TokenizedSplit:
    """A split: the windows of text n are `ids[starts[n]:starts[n + 1]]`; `tokens` counts those of each text.

    `ngrams` are hashes; a single 0 in each window where the tokenization knows no n-grams.
    """

    ids: Sequence[NDArray[np.int64]]
    ngrams: Sequence[NDArray[np.int64]]
    weights: NDArray[np.float32]
    starts: NDArray[np.int64]
    targets: NDArray[np.int64]
    pad: int
    padding: bool = True

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def tokens(self) -> NDArray[np.int64]:
        lengths = np.array([len(each) for each in self.ids], np.int64)
        return np.add.reduceat(lengths, self.starts[:-1])

    @property
    def bags(self) -> Bags:
        """Their n-grams and targets."""
        return Bags(hashes=self.ngrams, weights=self.weights, starts=self.starts, targets=self.targets)

    def subset(self, rows: NDArray[np.int64]) -> TokenizedSplit:
        """These texts alone."""
        owned = [np.arange(self.starts[row], self.starts[row + 1]) for row in rows]
        windows = np.concatenate(owned)
        return TokenizedSplit(
            ids=[self.ids[window] for window in windows],
            ngrams=[self.ngrams[window] for window in windows],
            weights=self.weights[windows],
            starts=np.cumsum([0, *map(len, owned)]),
            targets=self.targets[rows],
            pad=self.pad,
            padding=self.padding,
        )

    def batch(self, rows: Sequence[int]) -> Batch:
        """The windows of these texts, filled up to the longest."""
        windows = [window for row in rows for window in range(self.starts[row], self.starts[row + 1])]
        owner = [number for number, row in enumerate(rows) for _ in range(self.starts[row], self.starts[row + 1])]
        lengths = torch.tensor([len(self.ids[window]) for window in windows])
        ids = torch.from_numpy(padded([self.ids[window] for window in windows], self.pad))
        return Batch(
            ids=ids,
            mask=(torch.arange(ids.shape[1]) < lengths[:, None]).long(),
            owner=torch.tensor(owner),
            weight=torch.from_numpy(self.weights[windows]),
            texts=len(rows),
        )


def tokenize(
    split: Split, folder: Path, preprocessing: Mapping[str, Any], most: int, progress: Progress | None = None
) -> TokenizedSplit:
    """At most `most` windows of each text, evenly spread over what is served of it. Raises Cancelled."""
    progress = progress or Progress()
    tokenization = Tokenization(folder, get(Task, "text-classification").unlimited(preprocessing))
    ids: list[NDArray[np.int64]] = []
    ngrams: list[NDArray[np.int64]] = []
    weights: list[NDArray[np.float32]] = []
    starts = [0]
    for text in split.x.tolist():
        progress.check()
        windows = tokenization.windows(text)
        if len(windows) > most:
            windows = [windows[index] for index in np.linspace(0, len(windows) - 1, most).round().astype(int)]
        ids += [window.ids for window in windows]
        ngrams += [window.ngrams for window in windows]
        own = np.array([window.weight for window in windows], np.float32)
        weights.append(own / own.sum())
        starts.append(len(ids))
    return TokenizedSplit(
        ids=ids,
        ngrams=ngrams,
        weights=np.concatenate(weights),
        starts=np.array(starts, np.int64),
        targets=split.y,
        pad=tokenization.pad,
        padding=tokenization.padding,
    )


def learn_tokenizer(texts: Sequence[str], size: int, kind: Kind) -> Tokenizer:
    """Words of any language; or subwords by byte pair encoding (Sennrich et al. 2016), which may span two Chinese
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
    from tokenizers import Tokenizer, models

    words = Counter(word for line in lines for part in cut_words(line) if (word := part.strip()))
    characters = Counter[str]()
    for word, count in words.items():
        characters.update(dict.fromkeys(word, count))
    kept = [each for each, count in sorted(characters.items(), key=_often) if count > 1][: size // 2]
    alone = set(kept)
    more = [
        word for word, _ in sorted(words.items(), key=_often) if len(word) <= _LONGEST_SUBWORD and word not in alone
    ]
    total = max(1, sum(words.values()))
    tokens = [*kept, *more[: size - len(_SPECIAL) - len(kept)]]
    scores = [(token, math.log(max(words[token], _RARE) / total)) for token in tokens]
    made = Tokenizer(models.Unigram([*((name, 0.0) for name in _SPECIAL), *scores], unk_id=UNKNOWN))
    made.pre_tokenizer = _pre_tokenizer()
    made.add_special_tokens(list(_SPECIAL))
    return made


def _pre_tokenizer() -> PreTokenizer:
    """Letters, digits, signs, and Chinese or Japanese apart from other letters; an accent stays with its letter."""
    from tokenizers import Regex, pre_tokenizers

    scripts = pre_tokenizers.Split(Regex(r"[\p{Han}\p{Hiragana}\p{Katakana}\u30fc]+|\p{N}+"), "isolated")
    return pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), scripts])


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
    made.pre_tokenizer = _pre_tokenizer()
    return made


def _train(made: Tokenizer, lines: Sequence[str], size: int, kind: Kind) -> None:
    from tokenizers import trainers

    shared: dict[str, Any] = {"vocab_size": size, "special_tokens": list(_SPECIAL), "show_progress": False}
    trainer: trainers.Trainer
    if kind == "characters":
        trainer = trainers.WordLevelTrainer(min_frequency=2, **shared)
    else:
        trainer = trainers.BpeTrainer(max_token_length=_LONGEST_SUBWORD, **shared)
    before = os.environ.get("TOKENIZERS_PARALLELISM")
    made.train_from_iterator(lines, trainer)
    if before is None:
        os.environ.pop("TOKENIZERS_PARALLELISM", None)
