"""The values of a run as series: few enough points to draw, none of the extremes left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from glassworks.record import Record
from glassworks.runs.records import Event


class Series(Record):
    """One value over a stage: `step` and `at` (seconds since 1970) of each, in order."""

    stage: str
    name: str
    step: tuple[float, ...]
    at: tuple[float, ...]
    value: tuple[float, ...]
    points: int
    """How many there are, of which these are some."""


def series(events: Iterable[Event], most: int = 1000) -> tuple[Series, ...]:
    """The numbers among the events' values, by stage and name, of each at most about so many."""
    found: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for event in events:
        if event.kind == "values":
            stage, step = str(event.data.get("stage", "")), event.data.get("step")
            for name, value in _numbers(event.data):
                points = found.setdefault((stage, name), [])
                points.append((_step(step, len(points)), event.at, value))
    return tuple(
        Series(stage=stage, name=name, step=steps, at=times, value=values, points=len(points))
        for (stage, name), points in found.items()
        for steps, times, values in [tuple(zip(*thinned(points, most), strict=True))]
    )


def thinned(points: Sequence[tuple[float, float, float]], most: int) -> Sequence[tuple[float, float, float]]:
    """Of each stretch of equal length the smallest and the largest value (the last of three), and both ends."""
    if len(points) <= most:
        return points
    stretches = max(1, (most - 2) // 2)
    kept = {0, len(points) - 1}
    for number in range(stretches):
        begin, end = (len(points) * edge // stretches for edge in (number, number + 1))
        stretch = range(begin, end)
        kept |= {min(stretch, key=lambda at: points[at][2]), max(stretch, key=lambda at: points[at][2])}
    return [points[at] for at in sorted(kept)]


def _numbers(data: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    return ((name, float(value)) for name, value in data.items() if name != "step" and _is_number(value))


def _step(given: Any, before: int) -> float:
    return float(given) if _is_number(given) else before + 1.0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
