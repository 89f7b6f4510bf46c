"""In which order variants of a prompt are scored, so that what they share is computed once and little is filled up.

Costs are counted in tokens that are computed: a call of the graph costs some beside its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from glassworks.language.engine import Row

_ROWS = 8
"""Variants in a batch: many more take longer, for their caches are read again with each token."""
_CALL = 24
"""Tokens that a call costs beside its own: the weights are read, the cache is written back."""
_WORTH = 32
"""Tokens that must be saved for a prompt to be read on its own, and its cache kept."""

Branch = tuple[int, list[int]]


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """Tokens that both begin with."""
    most = min(len(one), len(other))
    differ = np.flatnonzero(np.asarray(one[:most]) != np.asarray(other[:most]))
    return int(differ[0]) if len(differ) else most


def _shared(row: Row, read: Row) -> int:
    """Tokens of a prompt that need not be computed after another one; the last one always is."""
    return min(common(row.prompt, read.prompt), len(row.prompt) - 1)


def branched(rows: Sequence[Row], shared: Mapping[int, int], room: int) -> tuple[list[int], list[Branch]]:
    """Rows that go on alone from the first `shared` tokens of what was read; and those that share more with each other:
    the longest of a group, which is read first, and what goes on from it. `room` is how many tokens can be kept.
    """
    groups = dict[tuple[int, int], list[int]]()
    for index, count in shared.items():
        groups.setdefault((count, rows[index].prompt[count]), []).append(index)
    alone, branches = list[int](), list[Branch]()
    for (count, _), group in groups.items():
        first = max(group, key=lambda index: len(rows[index].prompt))
        others = [index for index in group if index != first]
        saved = sum(_shared(rows[index], rows[first]) - count for index in others)
        if saved > _WORTH and len(rows[first].prompt) <= room:
            branches.append((first, others))
        else:
            alone += group
    return alone, branches


def batched(rows: Sequence[Row], shared: Mapping[int, int], chosen: Sequence[int], room: int) -> list[list[int]]:
    """Batches of the chosen rows that cost least together, where each computes all its rows from the first token that
    one of them does not share, filled up to its longest. Caches of a batch hold at most about `room` tokens.
    """
    order = sorted(chosen, key=lambda index: (-shared[index], len(rows[index].prompt)))
    best, cut = [0.0] + [float("inf")] * len(order), [0] * (len(order) + 1)
    for end in range(1, len(order) + 1):
        for begin in range(end - 1, max(-1, end - _ROWS - 1), -1):
            cost, cached = _cost(rows, shared, order[begin:end])
            if cached > room and end - begin > 1:
                break
            if best[begin] + cost < best[end]:
                best[end], cut[end] = best[begin] + cost, begin
    found, end = list[list[int]](), len(order)
    while end:
        found.append(order[cut[end] : end])
        end = cut[end]
    return found[::-1]


def _cost(rows: Sequence[Row], shared: Mapping[int, int], batch: Sequence[int]) -> tuple[float, int]:
    """Tokens that a batch computes, and those that its caches hold."""
    longest = max(len(rows[index].prompt) for index in batch) + max(len(rows[index].answer) for index in batch) - 1
    return _CALL + len(batch) * (longest - min(shared[index] for index in batch)), len(batch) * longest
