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
_RUNS = 16
AT_ONCE = 2 * _RUNS
"""Rows that are asked for together."""
MOST_ROWS = 4096
_TABLE = 16
"""Players of fewer than whom a table of all coalitions is made."""


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
    `go_on` says no; what stays closed is shared evenly.
    """
    values, count = np.zeros(game.players), 0
    root = _Run(0, game.players, np.zeros(game.players, np.bool_), *ends, 1.0)
    heap: list[tuple[float, int, _Run]] = [(-abs(root.share), 0, root)]
    while heap and go_on():
        opened = [heapq.heappop(heap)[2] for _ in range(min(_RUNS, len(heap)))]
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


@dataclass(frozen=True)
class Sampled:
    """Shapley values, their standard errors, and whether there were `enough` coalitions to tell them."""

    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    enough: bool = True


def kernel_values(game: Game, ends: tuple[float, float], rows: int, seed: int, go_on: Callable[[], bool]) -> Sampled:
    """KernelSHAP (Lundberg and Lee 2017, theorem 2): least squares over sampled coalitions, each beside its complement
    (Covert and Lee 2021, section 4.2), whose values add up to the change between both `ends`.

    At most `rows` are asked, fewer where `go_on` says no; all coalitions where that suffices, which gives the values
    themselves. Errors are of pairs, by the sandwich of White (1980).
    """
    generator, n = np.random.default_rng(seed), game.players
    if n < _TABLE and 2**n <= rows:
        return Sampled(shapley_values(game), np.zeros(n))
    masks: list[NDArray[np.bool_]] = []
    worths: list[NDArray[np.float64]] = []
    asked = 0
    while asked + 2 <= rows and go_on():
        pairs = min(_RUNS, (rows - asked) // 2)
        one = _coalitions(generator, n, pairs)
        both = np.stack([one, ~one], axis=1).reshape(-1, n)
        masks.append(both)
        worths.append(game.value(both))
        asked += len(both)
    if asked < n:
        return Sampled(np.full(n, (ends[1] - ends[0]) / n), np.full(n, np.inf), enough=False)
    return _fitted(np.concatenate(masks).astype(np.float64), np.concatenate(worths) - ends[0], ends[1] - ends[0])


def _coalitions(generator: np.random.Generator, players: int, count: int) -> NDArray[np.bool_]:
    """Coalitions (N P) as often as Shapley's kernel weighs their sizes."""
    sizes = np.arange(1, players)
    shares = 1 / (sizes * (players - sizes))
    drawn = generator.choice(sizes, count, p=shares / shares.sum())
    ranks = generator.random((count, players)).argsort(axis=1).argsort(axis=1)
    return np.asarray(ranks < drawn[:, None])


def _fitted(masks: NDArray[np.float64], worths: NDArray[np.float64], change: float) -> Sampled:
    """Least squares with the sum of all values given: the last player has what the others leave."""
    x, y = masks[:, :-1] - masks[:, -1:], worths - masks[:, -1] * change
    inverse = np.linalg.pinv(x.T @ x)
    others = inverse @ (x.T @ y)
    scores = (x * (y - x @ others)[:, None]).reshape(-1, 2, x.shape[1]).sum(axis=1)  # a pair is drawn once
    covariance = inverse @ (scores.T @ scores) @ inverse
    errors = np.sqrt(np.append(np.diagonal(covariance), covariance.sum()))
    return Sampled(np.append(others, change - others.sum()), errors)
