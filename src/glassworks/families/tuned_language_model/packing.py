"""What is computed in one step, packed into rows without padding; none sees another's tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glassworks.language.examples import Example

Group = Sequence[Example]
"""Answers to one question, which are packed together: its tokens, as far as they are the same, stand there once."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """Groups one after the other. Shapes: T tokens, A of which are predicted.

    `mask` (1 1 T T) is true where a token (row) sees another (column): those before it of its own example. `asked` are
    the places from which the `targets` (A) are predicted; `sizes` of them belong to each example in turn. `members` are
    the places of its groups among those that were packed.
    """

    ids: Tensor
    positions: Tensor
    mask: Tensor
    asked: Tensor
    targets: Tensor
    sizes: tuple[int, ...]
    members: tuple[int, ...]


def rows_of(examples: Sequence[Example], most: int) -> Iterator[Row]:
    """Rows of single examples; see `packed`."""
    return packed([(example,) for example in examples], most)


def packed(groups: Sequence[Group], most: int) -> Iterator[Row]:
    """The longest first, each into the first row of at most `most` tokens that has room (first fit, decreasing)."""
    sizes = [_size(group) for group in groups]
    bins: list[list[int]] = []
    for index in sorted(range(len(groups)), key=lambda index: -sizes[index]):
        fitting = (each for each in bins if sum(sizes[one] for one in each) + sizes[index] <= most)
        chosen = next(fitting, None)
        if chosen is None:
            bins.append([index])
        else:
            chosen.append(index)
    return (_row([groups[index] for index in chosen], chosen) for chosen in bins)


def _shared(group: Group) -> int:
    """How many tokens at the beginning are the same and not learned."""
    asked = min(int(np.argmax(example.learned)) for example in group)
    first = group[0].ids[:asked]
    same = np.logical_and.reduce([example.ids[:asked] == first for example in group])
    return asked if same.all() else int(np.argmin(same))


def _size(group: Group) -> int:
    shared = _shared(group)
    return shared + sum(len(example) - shared for example in group)


@dataclass(frozen=True, kw_only=True)
class _Sequence:
    """A group. A token sees those before it whose `branches` (T) are 0 or its own."""

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    branches: NDArray[np.int64]
    asked: NDArray[np.int64]
    targets: NDArray[np.int64]
    sizes: tuple[int, ...]


def _sequence(group: Group) -> _Sequence:
    shared = _shared(group)
    ids, positions = [group[0].ids[:shared]], [np.arange(shared)]
    branches, asked, targets, sizes, begin = [np.zeros(shared, np.int64)], [], [], [], shared
    for branch, example in enumerate(group, 1):
        # The first token is predicted from nothing: it is never learned, so no place asks into another example.
        (predicted,) = np.nonzero(np.append(False, example.learned[1:]))
        before = predicted - 1
        asked.append(np.where(before < shared, before, before - shared + begin))
        targets.append(example.ids[predicted])
        sizes.append(len(predicted))
        ids.append(example.ids[shared:])
        positions.append(np.arange(shared, len(example)))
        branches.append(np.full(len(example) - shared, branch))
        begin += len(example) - shared
    return _Sequence(
        ids=np.concatenate(ids),
        positions=np.concatenate(positions),
        branches=np.concatenate(branches),
        asked=np.concatenate(asked),
        targets=np.concatenate(targets),
        sizes=tuple(sizes),
    )


def _row(groups: Sequence[Group], members: Sequence[int]) -> Row:
    sequences = [_sequence(group) for group in groups]
    lengths = [len(sequence.ids) for sequence in sequences]
    begins = np.cumsum([0, *lengths[:-1]])
    owner = torch.from_numpy(np.repeat(np.arange(len(sequences)), lengths))
    branch = torch.from_numpy(np.concatenate([sequence.branches for sequence in sequences]))
    visible = (branch[None] == 0) | (branch[:, None] == branch[None])
    return Row(
        ids=torch.from_numpy(np.concatenate([sequence.ids for sequence in sequences]))[None],
        positions=torch.from_numpy(np.concatenate([sequence.positions for sequence in sequences]))[None],
        mask=torch.tril(visible & (owner[:, None] == owner[None]))[None, None],
        asked=torch.from_numpy(np.concatenate([p.asked + begin for p, begin in zip(sequences, begins, strict=True)])),
        targets=torch.from_numpy(np.concatenate([sequence.targets for sequence in sequences])),
        sizes=tuple(size for sequence in sequences for size in sequence.sizes),
        members=tuple(members),
    )
