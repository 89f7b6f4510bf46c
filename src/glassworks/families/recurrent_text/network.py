"""The network and what the common loop optimizes. Shapes: N texts, T tokens, D values a token, H values a direction,
K labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from glassworks.families._text.ngrams import WithNgrams
from glassworks.families._text.tokens import PADDING, UNKNOWN, TokenizedSplit
from glassworks.training.classification import (
    accuracies,
    classification_loss,
    negative_log_likelihood,
    validation_weights,
)

Cell = Literal["gru", "lstm"]
FORWARD, BACKWARD = "forth", "back"
"""Names of the two directions in checkpoints."""
_ATTENTION = 64
_WORD_DROPOUT, _SMOOTHING = 0.25, 0.1
_ROWS = 128


class RecurrentText(WithNgrams):
    """Token vectors, a bidirectional GRU or LSTM, attention (Yang et al. 2016, equations 5 to 7), maximum pooling."""

    def __init__(
        self, tokens: int, width: int, hidden: int, labels: int, cell: Cell, dropout: float, ngrams: int = 0
    ) -> None:
        super().__init__(labels, ngrams)
        self.cell = cell
        self.embedding = nn.Embedding(tokens, width, padding_idx=0)
        layer = nn.GRU if cell == "gru" else nn.LSTM
        for name in (FORWARD, BACKWARD):
            self.add_module(name, layer(width, hidden, batch_first=True))
        self.attention = nn.Linear(2 * hidden, _ATTENTION)
        self.query = nn.Linear(_ATTENTION, 1, bias=False)
        self.out = nn.Linear(4 * hidden, labels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Scores (N K) of the network alone; `ids` (N T) are 0 behind each text's end."""
        return self.classify(self.embedding(ids), lengths)

    def classify(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Scores (N K) of token vectors (N T D)."""
        states = self.dropout(self._states(self.dropout(vectors), lengths))
        there = torch.arange(states.shape[1], device=states.device) < lengths[:, None].to(states.device)
        weight = self.query(torch.tanh(self.attention(states))).squeeze(2).masked_fill(~there, -torch.inf).softmax(1)
        mean = (weight[:, :, None] * states).sum(1)
        largest = states.masked_fill(~there[:, :, None], -torch.inf).amax(1)
        scores: Tensor = self.out(self.dropout(torch.cat([mean, largest], dim=1)))
        return scores

    def _states(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Both directions (N T 2H); the second reads each text from its own end.

        Without packing, which on a CPU takes twice the time. What is behind a text's end changes nothing in it.
        """
        index = torch.arange(vectors.shape[1], device=vectors.device)
        last = lengths[:, None].to(vectors.device) - 1
        reversed_ = torch.where(index <= last, last - index, index)[:, :, None]
        forward, _ = self.get_submodule(FORWARD)(vectors)
        backward, _ = self.get_submodule(BACKWARD)(vectors.gather(1, reversed_.expand_as(vectors)))
        return torch.cat([forward, backward.gather(1, reversed_.expand_as(backward))], dim=2)


def scores_of(network: RecurrentText, texts: TokenizedSplit) -> NDArray[np.float32]:
    """Scores (N K) of the network alone, in evaluation mode."""
    network.eval()
    found = np.zeros((len(texts), len(network.bias)), np.float32)
    order = np.argsort(texts.tokens, kind="stable")
    with torch.inference_mode():
        for begin in range(0, len(order), _ROWS):
            rows = order[begin : begin + _ROWS]
            found[rows] = _scores(network, texts, rows.tolist()).cpu().numpy()
    return found


def loss_of(
    network: RecurrentText, texts: TokenizedSplit, soft: Tensor | None, weights: Tensor | None
) -> Callable[[Tensor], Tensor]:
    """From rows of the training texts (B) to their loss; while training some tokens are hidden.

    `soft` are a teacher's probabilities (N K), `weights` those of classes.
    """
    targets = torch.from_numpy(texts.targets)

    def loss(rows: Tensor) -> Tensor:
        scores = _scores(network, texts, rows.tolist())
        return classification_loss(scores, targets[rows], soft[rows] if soft is not None else None, weights, _SMOOTHING)

    return loss


def evaluate(network: RecurrentText, texts: TokenizedSplit, weights: Tensor | None) -> Mapping[str, float]:
    """Metrics on validation texts, for progress and early stopping."""
    scores, targets = scores_of(network, texts), texts.targets
    network.train()
    found = (scores > 0) if targets.ndim == 2 else scores.argmax(axis=1)
    return {
        **accuracies(found == targets, targets, weights),
        "validation_loss": negative_log_likelihood(scores, targets, validation_weights(targets, weights)),
    }


def _scores(network: RecurrentText, texts: TokenizedSplit, rows: list[int]) -> Tensor:
    batch = texts.batch(rows)
    ids, device = batch.ids, network.embedding.weight.device
    if network.training:
        ids = torch.where((torch.rand(ids.shape) < _WORD_DROPOUT) & (ids != PADDING), UNKNOWN, ids)
    return batch.averaged(network(ids.to(device), batch.mask.sum(1)).float())
