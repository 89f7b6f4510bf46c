"""What the benchmarks share: intervals, a table on stdout, JSON under benchmarks/results."""

from __future__ import annotations

import json
import math
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from glassworks.packaging.machine import instruction_set

_T = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
"""Two-sided 95 % quantiles of Student's t by the number of values."""


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and its 95 % interval by Student's t."""
    mean = statistics.mean(values)
    if len(values) < 2:
        return mean, mean, mean
    half = _T.get(len(values), 1.96) * statistics.stdev(values) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def medians_ms(calls: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Median time of each contender's call, in turns."""
    times: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()
    for _ in range(rounds):
        for place, call in enumerate(calls):
            start = time.perf_counter()
            call()
            times[place].append(1e3 * (time.perf_counter() - start))
    return [statistics.median(taken) for taken in times]


def rows_by(found: Mapping[str, Mapping[str, object]], key: str) -> list[tuple[str, object, str]]:
    """A row a value of each size that was measured, named by what `key` says of it."""
    return [
        (f"{each[key]:>12,} {name}", value if isinstance(value, str | float | int) else str(value), "")
        for each in found.values()
        for name, value in each.items()
    ]


def kept(name: str, keys: Sequence[str], measure: Callable[[str], Mapping[str, object]]) -> Iterator[dict[str, Any]]:
    """What was measured of each case, one JSON line each under benchmarks/results: a run that was cut off goes on where
    it stopped. Delete `NAME.jsonl` to begin anew."""
    file = Path(__file__).parent / "results" / f"{name}.jsonl"
    file.parent.mkdir(exist_ok=True)
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    known = {each["case"]: each for each in map(json.loads, lines)}
    for key in keys:
        if key not in known:
            known[key] = {"case": key, **measure(key)}
            with file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(known[key]) + "\n")
        yield known[key]


def publish(name: str, result: Mapping[str, object], rows: Sequence[tuple[str, object, str]]) -> None:
    """Print the figures beside their bars, and keep everything as JSON."""
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    machine = {"python": platform.python_version(), "machine": platform.machine(), "isa": instruction_set()}
    (folder / f"{name}.json").write_text(json.dumps({"machine": machine, **result}, indent=1) + "\n", encoding="utf-8")
    width = max(len(row[0]) for row in rows)
    for figure, value, bar in rows:
        shown = f"{value:.4f}" if isinstance(value, float) else str(value)
        sys.stdout.write(f"{figure:<{width}}  {shown:>28}  {bar}\n")
