"""The network. Shapes: N texts, T tokens, D values a token, H values a direction, K labels, M pieces."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from glassworks.families._text.ngrams import WithPieces

Cell = Literal["gru", "lstm"]
_ATTENTION = 64


class RecurrentText(WithPieces):
    """Token vectors, a bidirectional GRU or LSTM, attention (Yang et al. 2016, equations 5 to 7), maximum pooling."""

    def __init__(
        self, tokens: int, width: int, hidden: int, labels: int, cell: Cell, dropout: float, pieces: int = 0
    ) -> None:
        super().__init__(labels, pieces)
        self.cell = cell
        self.embedding = nn.Embedding(tokens, width, padding_idx=0)
        layer = nn.GRU if cell == "gru" else nn.LSTM
        self.forth, self.back = (layer(width, hidden, batch_first=True) for _ in range(2))
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

        Without packing, which on a CPU takes twice the time. What stands behind a text's end changes nothing in it.
        """
        place = torch.arange(vectors.shape[1], device=vectors.device)
        last = lengths[:, None].to(vectors.device) - 1
        turned = torch.where(place <= last, last - place, place)[:, :, None]
        back, _ = self.back(vectors.gather(1, turned.expand_as(vectors)))
        return torch.cat([self.forth(vectors)[0], back.gather(1, turned.expand_as(back))], dim=2)
