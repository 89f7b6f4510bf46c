"""Examples of one step, packed into rows without padding; none sees another's tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from glassworks.language.examples import Example


@dataclass(frozen=True, kw_only=True)
class Row:
    """Examples one after the other. Shapes: T tokens, A of which are predicted.

    `mask` (1 1 T T) is true where a token (row) sees another (column): those before it of its own example. `asked` are
    the places from which the `targets` (A) are predicted.
    """

    ids: Tensor
    positions: Tensor
    mask: Tensor
    asked: Tensor
    targets: Tensor


def rows_of(examples: Sequence[Example], most: int) -> Iterator[Row]:
    """The longest first, each into the first row of at most `most` tokens that has room (first fit, decreasing)."""
    bins: list[list[Example]] = []
    for example in sorted(examples, key=len, reverse=True):
        fitting = (each for each in bins if sum(map(len, each)) + len(example) <= most)
        chosen = next(fitting, None)
        if chosen is None:
            bins.append([example])
        else:
            chosen.append(example)
    return map(_row, bins)


def _row(examples: Sequence[Example]) -> Row:
    lengths = [len(example) for example in examples]
    ids = np.concatenate([example.ids for example in examples])
    owner = torch.from_numpy(np.repeat(np.arange(len(examples)), lengths))
    # The first token of an example is predicted from nothing: it is never learned, so no place asks into another.
    learned = np.concatenate([np.append(False, example.learned[1:]) for example in examples])
    (predicted,) = np.nonzero(learned)
    own = owner[:, None] == owner[None]
    return Row(
        ids=torch.from_numpy(ids)[None],
        positions=torch.from_numpy(np.concatenate([np.arange(length) for length in lengths]))[None],
        mask=torch.tril(own)[None, None],
        asked=torch.from_numpy(predicted - 1),
        targets=torch.from_numpy(ids[predicted]),
    )
