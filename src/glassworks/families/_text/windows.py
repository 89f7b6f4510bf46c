"""Texts as the network reads them: windows of tokens, each text in one or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glassworks.catalog import get
from glassworks.contracts import Split, Task
from glassworks.families._text.ngrams import Bags
from glassworks.text.tokenization import Tokenization
from glassworks.text.windows import padded

LEARNED_WINDOWS = 4
"""Most windows of a text to learn from."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Windows (W T) of some texts (N): `owner` (W) is each one's text, `weight` (W) its part of it."""

    ids: Tensor
    mask: Tensor
    owner: Tensor
    weight: Tensor
    texts: int

    def gathered(self, values: Tensor) -> Tensor:
        """Values of windows (W ...) averaged over each text (N ...), as the served model does."""
        if self.texts == len(values):
            return values
        empty = torch.zeros(self.texts, values.shape[1], dtype=values.dtype, device=values.device)
        share = self.weight.to(values.device)[:, None]
        return empty.index_add(0, self.owner.to(values.device), values * share)


@dataclass(frozen=True, kw_only=True)
class Read:
    """A split: the windows of text n are `ids[starts[n]:starts[n + 1]]`; `tokens` counts those of each text.

    `pieces` are hashes, one each of nothing where the front has no pieces.
    """

    ids: Sequence[NDArray[np.int64]]
    pieces: Sequence[NDArray[np.int64]]
    weights: NDArray[np.float32]
    starts: NDArray[np.int64]
    targets: NDArray[np.int64]
    pad: int

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def tokens(self) -> NDArray[np.int64]:
        lengths = np.array([len(each) for each in self.ids], np.int64)
        return np.add.reduceat(lengths, self.starts[:-1])

    @property
    def bags(self) -> Bags:
        """Their pieces and targets."""
        return Bags(hashes=self.pieces, weights=self.weights, starts=self.starts, targets=self.targets)

    def some(self, rows: NDArray[np.int64]) -> Read:
        """These texts alone."""
        owned = [np.arange(self.starts[row], self.starts[row + 1]) for row in rows]
        places = np.concatenate(owned)
        return Read(
            ids=[self.ids[place] for place in places],
            pieces=[self.pieces[place] for place in places],
            weights=self.weights[places],
            starts=np.cumsum([0, *map(len, owned)]),
            targets=self.targets[rows],
            pad=self.pad,
        )

    def batch(self, rows: Sequence[int]) -> Batch:
        """The windows of these texts, filled up to the longest."""
        places = [place for row in rows for place in range(self.starts[row], self.starts[row + 1])]
        owner = [number for number, row in enumerate(rows) for _ in range(self.starts[row], self.starts[row + 1])]
        lengths = torch.tensor([len(self.ids[place]) for place in places])
        ids = torch.from_numpy(padded([self.ids[place] for place in places], self.pad))
        return Batch(
            ids=ids,
            mask=(torch.arange(ids.shape[1]) < lengths[:, None]).long(),
            owner=torch.tensor(owner),
            weight=torch.from_numpy(self.weights[places]),
            texts=len(rows),
        )


def read(split: Split, folder: Path, preprocessing: Mapping[str, Any], most: int) -> Read:
    """At most `most` windows of each text, evenly spread over what is served of it."""
    front = Tokenization(folder, get(Task, "text-classification").unlimited(preprocessing))
    ids: list[NDArray[np.int64]] = []
    pieces: list[NDArray[np.int64]] = []
    weights: list[NDArray[np.float32]] = []
    starts = [0]
    for text in split.x.tolist():
        windows = front.windows(text)
        if len(windows) > most:
            windows = [windows[place] for place in np.linspace(0, len(windows) - 1, most).round().astype(int)]
        ids += [window.ids for window in windows]
        pieces += [window.ngrams for window in windows]
        own = np.array([window.weight for window in windows], np.float32)
        weights.append(own / own.sum())
        starts.append(len(ids))
    return Read(
        ids=ids,
        pieces=pieces,
        weights=np.concatenate(weights),
        starts=np.array(starts, np.int64),
        targets=split.y,
        pad=front.pad,
    )
