"""A linear classifier of pieces beside a network: fitted in seconds, hard to beat on short texts, and better together.

Wang and Manning (2012) show the first; it is fitted apart from the network, and their scores are added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor, nn

from glassworks.data.text.baseline import regress
from glassworks.text.ngrams import known_ngrams
from glassworks.text.windows import padded
from glassworks.training.calibration import Weights, calibrated_loss, calibrated_losses
from glassworks.training.classification import class_weights, held_weights

ORDERS = (1, 2, 3, 4)
"""Characters of the pieces."""
PIECES, WORDS = "pieces.npy", "words.json"
"""Files: hashes of the pieces, and the tokens whose pairs are pieces where the network's own are others."""
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
    """Texts as pieces: the windows of text n are `hashes[starts[n]:starts[n + 1]]`, each distinct one once, and
    `weights` (W) their parts of it. `targets` are N, or 0 and 1 in N K."""

    hashes: Hashes
    weights: Floats
    starts: NDArray[np.int64]
    targets: NDArray[np.int64]

    def gathered(self, values: csr_matrix | Floats) -> csr_matrix | Floats:
        """Values of windows (W ...) averaged over each text (N ...), as they are served."""
        windows = len(self.weights)
        return (
            csr_matrix((self.weights, np.arange(windows), self.starts), shape=(len(self.starts) - 1, windows)) @ values
        )


@dataclass(frozen=True)
class Pieces:
    """`known`: ascending hashes of the P pieces that count. `says` (P + 1, K + 1): row 0 is nothing; what a piece says
    for each label, and the square of its weight (inverse document frequency). `bias` (K)."""

    known: NDArray[np.int64]
    says: Floats
    bias: Floats


class WithPieces(nn.Module):
    """A network beside which stands a linear classifier of pieces, kept as a table (`says`, P + 1 x K + 1).

    `share` is the network's part, chosen on validation texts; without pieces the table is empty, and the share is 1.
    """

    says: Tensor
    bias: Tensor
    share: Tensor

    def __init__(self, labels: int, pieces: int = 0) -> None:
        super().__init__()
        self.register_buffer("says", torch.zeros(pieces + 1, labels + 1))
        self.register_buffer("bias", torch.zeros(labels))
        self.register_buffer("share", torch.tensor(1.0))

    def take(self, pieces: Pieces) -> None:
        """Stand beside these."""
        self.says, self.bias = torch.from_numpy(pieces.says), torch.from_numpy(pieces.bias)

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Load a state with however many pieces it has, none where it is older than they."""
        nothing = {"says": self.says, "bias": self.bias, "share": self.share}
        whole = {**nothing, **tensors}
        self.says = whole["says"]
        self.load_state_dict(whole)

    @property
    def has_pieces(self) -> bool:
        """Whether any stand beside it."""
        return len(self.says) > 1

    def said(self, pieces: Tensor) -> Tensor:
        """What each of the pieces (N M; 0 fills up) adds to the linear classifier's scores (N M K)."""
        rows = self.says[pieces]
        return rows[:, :, :-1] / rows[:, :, -1:].sum(1, keepdim=True).clamp_min(1e-6).sqrt()

    def linear(self, pieces: Tensor) -> Tensor:
        """Scores (N K) of pieces (N M) by the linear classifier alone."""
        return self.said(pieces).sum(1) + self.bias

    def together(self, deep: Tensor, linear: Tensor) -> Tensor:
        """Both scores (N K) as one."""
        return self.share * deep + (1 - self.share) * linear


def fit_pieces(learning: Bags, held: Bags, labels: int, most: int, *, balanced: bool = False) -> Pieces:
    """Logistic regression on normalized tf-idf, its strength chosen on held texts; then once more with the `most`
    pieces that matter most. Pieces of one window alone are left out. `balanced`: texts with a label and those without
    it weigh alike, however many they are."""
    known, often = np.unique(np.concatenate(learning.hashes), return_counts=True)
    enough = (often >= _LEAST_WINDOWS) & (known != 0)  # 0 stands for a window without pieces
    known, often = (known[enough], often[enough]) if enough.any() else (known, often)
    weight = np.log((1 + len(learning.hashes)) / (1 + often)) + 1

    def fitted() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        x, other = _matrix(learning, known, weight), _matrix(held, known, weight)
        return _fit(x, learning.targets, other, held.targets, labels, balanced)

    if len(known) > most:
        says, _ = fitted()
        matters = np.abs(says).max(axis=1) * np.sqrt(often) * weight
        kept = np.sort(np.argsort(-matters, kind="stable")[:most])
        known, weight = known[kept], weight[kept]
    says, bias = fitted()
    table = np.zeros((len(known) + 1, labels + 1), np.float32)
    table[1:, :labels], table[1:, labels] = says * weight[:, None], weight**2
    return Pieces(known, table, bias.astype(np.float32))


def linear_scores(pieces: Pieces, bags: Bags) -> Floats:
    """Scores (N K) of texts by the linear classifier alone, as it is served."""
    beside = WithPieces(len(pieces.bias))
    beside.take(pieces)
    rows = [_or_none(known_ngrams(each, pieces.known)) for each in bags.hashes]
    with torch.inference_mode():
        parts = [
            beside.linear(torch.from_numpy(padded(rows[begin : begin + _ROWS], 0)))
            for begin in range(0, len(rows), _ROWS)
        ]
    return np.asarray(bags.gathered(torch.cat(parts).numpy()), np.float32)


def _or_none(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those that are known; 0, which fills up, where none is."""
    known = places[places > 0]
    return known if len(known) else np.zeros(1, np.int64)


def best_share(deep: Floats, linear: Floats, targets: NDArray[np.int64], weights: Weights = None) -> float:
    """The network's part for which the log loss is least, each mixture at its own temperature."""
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
    other: csr_matrix,
    held_targets: NDArray[np.int64],
    labels: int,
    balanced: bool,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What each piece says (P K), and the bias (K), for softmax or for a sigmoid a label."""
    counts = held_weights(held_targets, class_weights(torch.from_numpy(targets), labels) if balanced else None)
    best = (-1.0, np.zeros((x.shape[1], labels)), np.zeros(labels))
    for strength in _STRENGTHS:
        says, bias = regress(x, targets, labels, strength, balanced=balanced)
        scores = other @ says + bias
        found = scores > 0 if targets.ndim == 2 else scores.argmax(axis=1)
        score = float(np.average(found == held_targets, weights=counts))
        if score > best[0]:
            best = (score, says, bias)
    # Of two labels one score is the other's negative: half of each tells a softmax the same.
    part = 0.5 if labels == 2 and targets.ndim == 1 else 1.0
    return part * best[1], part * best[2]


def _matrix(bags: Bags, known: NDArray[np.int64], weight: NDArray[np.float64]) -> csr_matrix:
    """Each piece of a window once, weighed, of length one a window."""
    rows = [places[places > 0] - 1 for places in (known_ngrams(each, known) for each in bags.hashes)]
    values = [weight[row] / max(float(np.linalg.norm(weight[row])), 1e-9) for row in rows]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    windows = csr_matrix((np.concatenate(values), np.concatenate(rows), starts), shape=(len(rows), len(known)))
    return csr_matrix(bags.gathered(windows))
