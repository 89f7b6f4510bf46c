"""A linear classifier of n-grams beside a network: fitted in seconds, hard to beat on short texts, better together.

Wang and Manning (2012) show the first; it is fitted independently of the network, and their scores are added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor, nn

from glassworks.contracts import Progress
from glassworks.text.ngrams import known_ngrams, regress
from glassworks.text.tokenization import padded
from glassworks.training.classification import (
    Weights,
    calibrated_loss,
    calibrated_losses,
    class_weights,
    validation_weights,
)

ORDERS = (1, 2, 3, 4)
"""Characters of the n-grams."""
NGRAMS, WORDS = "pieces.npy", "words.json"
"""Files: hashes of the n-grams, and the tokens whose pairs are n-grams where the network's own are others."""
Hashes = Sequence[NDArray[np.int64]]
Floats = NDArray[np.float32]
_STRENGTHS = (1.0, 4.0, 16.0)
_LEAST_WINDOWS = 2
_SHARES = np.linspace(0.0, 1.0, 21)
_ROWS = 128
_ENOUGH = 10
"""Texts by which anything can be clear."""
_ONE_SIDED = 1.645
"""Standard errors; the normal distribution's 95 %."""


@dataclass(frozen=True, kw_only=True)
class Bags:
    """Texts as bags of n-grams: the windows of text n are `hashes[starts[n]:starts[n + 1]]`, each distinct n-gram once,
    and `weights` (W) their shares of it. `targets` are N, or 0 and 1 in N K."""

    hashes: Hashes
    weights: Floats
    starts: NDArray[np.int64]
    targets: NDArray[np.int64]

    def averaged(self, values: csr_matrix | Floats) -> csr_matrix | Floats:
        """Values of windows (W ...) averaged over each text (N ...), as they are served."""
        windows = len(self.weights)
        shares = (self.weights, np.arange(windows), self.starts)
        return csr_matrix(shares, shape=(len(self.starts) - 1, windows)) @ values


@dataclass(frozen=True)
class NgramTable:
    """`known`: ascending hashes of the P n-grams that count. `says` (P + 1, K + 1): row 0 is nothing; what an n-gram
    adds to each label's score, and the square of its weight (inverse document frequency). `bias` (K)."""

    known: NDArray[np.int64]
    says: Floats
    bias: Floats


class WithNgrams(nn.Module):
    """A network beside a linear classifier of n-grams, which is kept as a table (`says`, P + 1 x K + 1).

    `share` is the network's part of the scores, chosen on validation texts; without n-grams the table is empty, and the
    share is 1.
    """

    says: Tensor
    bias: Tensor
    share: Tensor

    def __init__(self, labels: int, ngrams: int = 0) -> None:
        super().__init__()
        self.register_buffer("says", torch.zeros(ngrams + 1, labels + 1))
        self.register_buffer("bias", torch.zeros(labels))
        self.register_buffer("share", torch.tensor(1.0))

    def take(self, ngrams: NgramTable) -> None:
        """Have these beside the network."""
        self.says, self.bias = torch.from_numpy(ngrams.says), torch.from_numpy(ngrams.bias)

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Load a state with however many n-grams it has, none where it is older than they are."""
        nothing = {"says": self.says, "bias": self.bias, "share": self.share}
        whole = {**nothing, **tensors}
        self.says = whole["says"]
        self.load_state_dict(whole)

    @property
    def has_ngrams(self) -> bool:
        """Whether there are any beside it."""
        return len(self.says) > 1

    def said(self, ngrams: Tensor) -> Tensor:
        """What each of the n-grams (N M; 0 fills up) adds to the linear classifier's scores (N M K)."""
        rows = self.says[ngrams]
        return rows[:, :, :-1] / rows[:, :, -1:].sum(1, keepdim=True).clamp_min(1e-6).sqrt()

    def linear(self, ngrams: Tensor) -> Tensor:
        """Scores (N K) of n-grams (N M) by the linear classifier alone."""
        return self.said(ngrams).sum(1) + self.bias

    def together(self, deep: Tensor, linear: Tensor) -> Tensor:
        """Both scores (N K) as one."""
        return self.share * deep + (1 - self.share) * linear


def fit_ngrams(
    train: Bags, validation: Bags, labels: int, most: int, *, balanced: bool = False, progress: Progress | None = None
) -> NgramTable:
    """Logistic regression on normalized tf-idf, its strength chosen on validation texts; then once more with the `most`
    n-grams that matter most. N-grams of one window alone are left out. `balanced`: texts with a label and those without
    it weigh alike, however many they are. Raises Cancelled."""
    known, often = np.unique(np.concatenate(train.hashes), return_counts=True)
    enough = (often >= _LEAST_WINDOWS) & (known != 0)  # 0 stands for a window without n-grams
    known, often = (known[enough], often[enough]) if enough.any() else (known, often)
    weight = np.log((1 + len(train.hashes)) / (1 + often)) + 1

    def fitted() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        x, other = _matrix(train, known, weight), _matrix(validation, known, weight)
        return _fit(x, train.targets, other, validation.targets, labels, balanced, progress or Progress())

    if len(known) > most:
        says, _ = fitted()
        matters = np.abs(says).max(axis=1) * np.sqrt(often) * weight
        kept = np.sort(np.argsort(-matters, kind="stable")[:most])
        known, weight = known[kept], weight[kept]
    says, bias = fitted()
    table = np.zeros((len(known) + 1, labels + 1), np.float32)
    table[1:, :labels], table[1:, labels] = says * weight[:, None], weight**2
    return NgramTable(known, table, bias.astype(np.float32))


def linear_scores(ngrams: NgramTable, bags: Bags) -> Floats:
    """Scores (N K) of texts by the linear classifier alone, as it is served."""
    beside = WithNgrams(len(ngrams.bias))
    beside.take(ngrams)
    found = (known_ngrams(each, ngrams.known) for each in bags.hashes)
    rows = [each[each > 0] if each.any() else np.zeros(1, np.int64) for each in found]
    with torch.inference_mode():
        parts = [
            beside.linear(torch.from_numpy(padded(rows[begin : begin + _ROWS], 0)))
            for begin in range(0, len(rows), _ROWS)
        ]
    return np.asarray(bags.averaged(torch.cat(parts).numpy()), np.float32)


def best_share(deep: Floats, linear: Floats, targets: NDArray[np.int64], weights: Weights = None) -> float:
    """The network's share for which the log loss is least, each mixture at its own temperature."""
    mixtures = [(share * deep + (1 - share) * linear).astype(np.float32) for share in _SHARES]
    losses = [calibrated_loss(mixed, targets, weights) for mixed in mixtures]
    return float(_SHARES[int(np.argmin(losses))])


def clearly_better_share(deep: Floats, linear: Floats, targets: NDArray[np.int64], weights: Weights = None) -> float:
    """`best_share`, but 1 where the mixture is not clearly better: log losses paired by text, one-sided, at 5 %."""
    share = best_share(deep, linear, targets, weights) if len(targets) >= _ENOUGH else 1.0
    mixed = (share * deep + (1 - share) * linear).astype(np.float32)
    gained = calibrated_losses(deep, targets, weights) - calibrated_losses(mixed, targets, weights)
    surely = gained.mean() - _ONE_SIDED * gained.std() / np.sqrt(len(gained))
    return share if surely > 0 else 1.0


def _fit(
    x: csr_matrix,
    targets: NDArray[np.int64],
    validation: csr_matrix,
    validation_targets: NDArray[np.int64],
    labels: int,
    balanced: bool,
    progress: Progress,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What each n-gram says (P K), and the bias (K), for softmax or for a sigmoid a label."""
    weights = class_weights(torch.from_numpy(targets), labels) if balanced else None
    counts = validation_weights(validation_targets, weights)
    best = (-1.0, np.zeros((x.shape[1], labels)), np.zeros(labels))
    for strength in _STRENGTHS:
        progress.check()
        says, bias = regress(x, targets, labels, strength, balanced=balanced)
        scores = validation @ says + bias
        found = scores > 0 if targets.ndim == 2 else scores.argmax(axis=1)
        score = float(np.average(found == validation_targets, weights=counts))
        if score > best[0]:
            best = (score, says, bias)
    # Of two labels one score is the other's negative: with a softmax, half of each is the same.
    part = 0.5 if labels == 2 and targets.ndim == 1 else 1.0
    return part * best[1], part * best[2]


def _matrix(bags: Bags, known: NDArray[np.int64], weight: NDArray[np.float64]) -> csr_matrix:
    """Each n-gram of a window once, weighed, of length one a window."""
    rows = [indices[indices > 0] - 1 for indices in (known_ngrams(each, known) for each in bags.hashes)]
    values = [weight[row] / max(float(np.linalg.norm(weight[row])), 1e-9) for row in rows]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    windows = csr_matrix((np.concatenate(values), np.concatenate(rows), starts), shape=(len(rows), len(known)))
    return csr_matrix(bags.averaged(windows))
