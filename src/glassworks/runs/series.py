"""The values of runs as series: few enough points to draw, none of the extremes left out."""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from glassworks.record import Record
from glassworks.runs.store import Runs

_KEPT = 16


class Series(Record):
    """One value over a stage: `step` and `at` (seconds since 1970) of each, in order."""

    stage: str
    name: str
    step: tuple[float, ...]
    at: tuple[float, ...]
    value: tuple[float, ...]
    points: int
    """How many there are, of which these are some."""


class AllSeries:
    """The series of runs. What was read of the runs asked for last is kept: only what is new is read again."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._kept: OrderedDict[str, _Points] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, run: str, most: int) -> tuple[Series, ...]:
        """Of a run, by stage and name, of each at most about so many points."""
        with self._lock:
            points = self._kept.pop(run, None) or _Points()
            points.read(self._runs.values(run, points.newest))
            self._kept[run] = points
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return points.series(most)


class _Points:
    """Steps, times and values, by stage and name."""

    def __init__(self) -> None:
        self.newest = 0
        self._found: dict[tuple[str, str], tuple[array[float], array[float], array[float]]] = {}

    def read(self, events: Iterator[tuple[int, float, Mapping[str, Any]]]) -> None:
        for number, at, data in events:
            self.newest = number
            stage, step = str(data.get("stage", "")), data.get("step")
            for name, value in data.items():
                if name != "step" and _is_number(value):
                    steps, times, values = self._found.setdefault((stage, name), (array("d"), array("d"), array("d")))
                    steps.append(float(step or 0) if _is_number(step) else len(steps) + 1.0)
                    times.append(at)
                    values.append(value)

    def series(self, most: int) -> tuple[Series, ...]:
        found = []
        for (stage, name), (steps, times, values) in self._found.items():
            kept = thinned(values, most)
            columns = {
                key: tuple(column[at] for at in kept)
                for key, column in (("step", steps), ("at", times), ("value", values))
            }
            found.append(Series(stage=stage, name=name, points=len(values), **columns))
        return tuple(found)


def thinned(values: Sequence[float], most: int) -> Sequence[int]:
    """Which to draw: of each stretch of equal length the smallest and the largest value, and both ends."""
    count = len(values)
    if count <= most:
        return range(count)
    stretches = max(1, (most - 2) // 2)
    kept = {0, count - 1}
    for number in range(stretches):
        stretch = range(count * number // stretches, count * (number + 1) // stretches)
        kept |= {min(stretch, key=values.__getitem__), max(stretch, key=values.__getitem__)}
    return sorted(kept)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
