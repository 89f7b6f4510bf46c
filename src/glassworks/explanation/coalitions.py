"""An example as a cooperative game: its values are the players; an absent one has the baseline's value."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glassworks.contracts import Session

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROWS = 64
_AT_ONCE = 16
_MOST_ROWS = 4096


class Game:
    """`value` of coalitions (N P): the target's probability where only these players stay. Counts its rows."""

    def __init__(
        self, session: Session, example: NDArray[np.float32], baseline: NDArray[np.float32], target: int
    ) -> None:
        self._session, self._target = session, target
        self._example, self._baseline = example.ravel(), baseline.ravel()
        self._shape, self.players, self.rows = example.shape[1:], example.size, 0
        self._input, self._output = session.signature.inputs[0].name, session.signature.outputs[0].name

    def value(self, coalitions: NDArray[np.bool_]) -> NDArray[np.float64]:
        """N."""
        rows = np.where(coalitions, self._example, self._baseline).reshape(-1, *self._shape)
        self.rows += len(rows)
        parts = [
            self._session.run({self._input: np.ascontiguousarray(rows[begin : begin + _ROWS])}, [self._output])[
                self._output
            ]
            for begin in range(0, len(rows), _ROWS)
        ]
        return np.concatenate(parts)[:, self._target].astype(np.float64)

    def ends(self) -> tuple[float, float]:
        """The values of no players and of all."""
        found = self.value(np.stack([np.zeros(self.players, np.bool_), np.ones(self.players, np.bool_)]))
        return float(found[0]), float(found[1])


def shapley_values(game: Game) -> NDArray[np.float64]:
    """Each player's mean contribution over all orders (Shapley 1953), from all 2^P coalitions."""
    n = game.players
    coalitions = (np.arange(2**n)[:, None] >> np.arange(n)) & 1 == 1
    worth, sizes = game.value(coalitions), coalitions.sum(axis=1)
    factor = np.array([math.factorial(s) * math.factorial(n - s - 1) / math.factorial(n) for s in range(n)])
    values = np.zeros(n)
    for player in range(n):
        without = np.flatnonzero(~coalitions[:, player])
        values[player] = (factor[sizes[without]] * (worth[without | (1 << player)] - worth[without])).sum()
    return values


@dataclass(frozen=True)
class _Run:
    """Neighbors `begin` ... `end` in one context of others: what it is worth without and with them."""

    begin: int
    end: int
    others: NDArray[np.bool_]
    without: float
    worth: float
    weight: float

    @property
    def share(self) -> float:
        return self.weight * (self.worth - self.without)


def owen_values(game: Game, ends: tuple[float, float], go_on: Callable[[], bool]) -> tuple[NDArray[np.float64], bool]:
    """Owen's values (1977) for the tree that halves the row of players, and whether every run was opened.

    A run is shared between its halves by Shapley's rule for two; runs with the largest share are opened first, until
    `go_on` says no or enough rows were asked; what stays closed is shared evenly.
    """
    values, count = np.zeros(game.players), 0
    root = _Run(0, game.players, np.zeros(game.players, np.bool_), *ends, 1.0)
    heap: list[tuple[float, int, _Run]] = [(-abs(root.share), 0, root)]
    while heap and game.rows < _MOST_ROWS and go_on():
        opened = [heapq.heappop(heap)[2] for _ in range(min(_AT_ONCE, len(heap)))]
        for run in _halves(game, opened):
            if run.end - run.begin == 1:
                values[run.begin] += run.share
            else:
                count += 1
                heapq.heappush(heap, (-abs(run.share), count, run))
    for _, _, run in heap:
        values[run.begin : run.end] += run.share / (run.end - run.begin)
    return values, not heap


def _halves(game: Game, runs: list[_Run]) -> list[_Run]:
    """Both halves of each run, alone and beside the other half."""
    middles = [(run.begin + run.end) // 2 for run in runs]
    masks = np.repeat(np.stack([run.others for run in runs]), 2, axis=0)
    for number, (run, middle) in enumerate(zip(runs, middles, strict=True)):
        masks[2 * number, run.begin : middle] = True
        masks[2 * number + 1, middle : run.end] = True
    worth = game.value(masks)
    found = []
    for number, (run, middle) in enumerate(zip(runs, middles, strict=True)):
        left, right = float(worth[2 * number]), float(worth[2 * number + 1])
        half = run.weight / 2
        found += [
            _Run(run.begin, middle, run.others, run.without, left, half),
            _Run(run.begin, middle, masks[2 * number + 1], right, run.worth, half),
            _Run(middle, run.end, run.others, run.without, right, half),
            _Run(middle, run.end, masks[2 * number], left, run.worth, half),
        ]
    return found
