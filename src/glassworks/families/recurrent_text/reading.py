"""A split as the network takes it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glassworks.contracts import Split
from glassworks.families.recurrent_text.export import TOKENIZER
from glassworks.tasks.text_classification.front import TextFront, Window, padded
from glassworks.training.pieces import Bags
from glassworks.training.vocabulary import PADDING

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@dataclass(frozen=True)
class Read:
    """Tokens and hashes of pieces of the first window of each text, and targets; `soft` are a teacher's (N K)."""

    ids: list[NDArray[np.int64]]
    pieces: list[NDArray[np.int64]]
    targets: NDArray[np.int64]
    soft: NDArray[np.float32] | None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def bags(self) -> Bags:
        """Their pieces."""
        texts = len(self)
        return Bags(hashes=self.pieces, weights=np.ones(texts, np.float32), starts=np.arange(texts + 1))

    def batch(self, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Tokens (B T) and lengths (B)."""
        ids = [self.ids[row] for row in rows]
        return torch.from_numpy(padded(ids, PADDING)), torch.tensor([len(each) for each in ids])


def read(split: Split, tokenizer: Tokenizer, preprocessing: Mapping[str, Any]) -> Read:
    """The texts by the front that serves them, with all their pieces."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / TOKENIZER).write_text(tokenizer.to_str(), encoding="utf-8")
        front = TextFront(Path(folder), {**preprocessing, "max_windows": 2**20, "pieces": ""})
    windows: list[Window] = [front.windows(text)[0] for text in split.x.tolist()]
    return Read([window.ids for window in windows], [window.pieces for window in windows], split.y, split.soft)
