"""What is computed in one step, packed into rows without padding; none sees another's tokens.

Tokens are the nodes of a tree: where examples begin alike, as with one system message or one question, their beginning
stands and is computed once, and each sees what is on its way to the root. Values and gradients are those of examples
computed alone, as what a decoder makes of a token depends on those before it and nothing else.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from glassworks.language.examples import Example

Group = Sequence[Example]
"""Examples that are in one row together, such as two answers to one question."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """Shapes: T tokens; A places from which something is predicted.

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


def rows_of(examples: Sequence[Example], most: int, parts: int = 1) -> list[Row]:
    """Rows of single examples; see `packed`."""
    return packed([(example,) for example in examples], most, parts)


def packed(groups: Sequence[Group], most: int, parts: int = 1) -> list[Row]:
    """Rows of at most `most` tokens where no group has more; `parts` of them, alike in size, where so few suffice.

    Groups that begin alike are neighbors.
    """
    if not groups:
        return []
    texts = [[example.ids.tolist() for example in group] for group in groups]
    order = sorted(range(len(groups)), key=lambda index: (texts[index], index))
    alone = [_nodes(texts[index]) for index in order]
    shared = [0, *(_alike(texts[one][0], texts[other][0]) for one, other in pairwise(order))]
    sizes = range(max(alone), sum(alone) + 1)
    enough = bisect_left(sizes, True, key=lambda size: len(_filled(alone, shared, size)) <= parts)
    rows = _filled(alone, shared, min(most, sizes[enough]))
    return [_row(groups, [order[index] for index in chosen]) for chosen in rows]


def _filled(alone: Sequence[int], shared: Sequence[int], most: int) -> list[list[int]]:
    """Neighbors in rows of at most `most` tokens: each group has `alone` so many, of which `shared` are in the group
    before it."""
    rows, size = list[list[int]](), 0
    for index, (own, known) in enumerate(zip(alone, shared, strict=True)):
        if rows and size + own - known <= most:
            rows[-1].append(index)
            size += own - known
        else:
            rows.append([index])
            size = own
    return rows


def _nodes(texts: Sequence[list[int]]) -> int:
    """Of the tree of some texts."""
    ordered = sorted(texts)
    return sum(map(len, texts)) - sum(_alike(one, other) for one, other in pairwise(ordered))


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens at the beginning are the same."""
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return index
    return min(len(one), len(other))


class _Tree:
    """Tokens by what is before them."""

    def __init__(self) -> None:
        self.ids, self.positions, self.before = list[int](), list[int](), list[int]()
        self._known: dict[tuple[int, int], int] = {}

    def way(self, ids: Sequence[int]) -> list[int]:
        """The places of a text's tokens, which are made where they are not there."""
        found, last = list[int](), -1
        for position, token in enumerate(ids):
            index = self._known.setdefault((last, token), len(self.ids))
            if index == len(self.ids):
                self.ids.append(token)
                self.positions.append(position)
                self.before.append(last)
            found.append(last := index)
        return found

    def mask(self) -> Tensor:
        """(T T): what each sees, which is itself and what the one before it sees."""
        found = np.eye(len(self.ids), dtype=np.bool_)
        for index, before in enumerate(self.before):
            if before >= 0:
                found[index] |= found[before]
        return torch.from_numpy(found)


def _row(groups: Sequence[Group], members: Sequence[int]) -> Row:
    tree, asked, targets, sizes = _Tree(), list[int](), list[int](), list[int]()
    for example in (example for member in members for example in groups[member]):
        ids = example.ids.tolist()
        way = tree.way(ids)
        # The first token is predicted from nothing: it is never learned.
        predicted = [index for index in np.flatnonzero(example.learned).tolist() if index]
        asked += [way[index - 1] for index in predicted]
        targets += [ids[index] for index in predicted]
        sizes.append(len(predicted))
    return Row(
        ids=torch.tensor([tree.ids]),
        positions=torch.tensor([tree.positions]),
        mask=tree.mask()[None, None],
        asked=torch.tensor(asked, dtype=torch.int64),
        targets=torch.tensor(targets, dtype=torch.int64),
        sizes=tuple(sizes),
        members=tuple(members),
    )
