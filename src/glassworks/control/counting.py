"""The counters of a moment, copied on the event loop that changes them, and what can be told from them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from glassworks.serving.core.model import LoadedModel
from glassworks.serving.core.models import Models

_MS = 1e-6


class Counted(NamedTuple):
    """The counters of one version."""

    model: str
    version: str
    requests: int
    errors: int
    rows: int
    explanations: int
    explanation_ns: int
    prompt_tokens: int
    completion_tokens: int
    shadow_compared: int
    shadow_differed: int
    latency: tuple[int, ...]
    first_token: tuple[int, ...]
    kinds: tuple[tuple[str, int], ...]
    waiting_rows: int
    streams_open: int
    streams_waiting: int
    latency_bounds: tuple[int, ...]
    first_token_bounds: tuple[int, ...]


class Sample(NamedTuple):
    """All versions at a moment; `at` is in seconds since 1970, `passed_s` counts evenly."""

    at: float
    passed_s: float
    versions: Sequence[Counted]


def sample(models: Models) -> Sample:
    """The counters as they are now. Call it on the event loop."""
    return Sample(time.time(), time.monotonic(), [counted(each) for each in models.loaded()])


def counted(model: LoadedModel) -> Counted:
    """Those of one version. Call it on the event loop."""
    found = model.statistics
    return Counted(
        model.name,
        model.version,
        found.success.count,
        found.fail.count,
        found.rows,
        found.explain.count,
        found.explain.ns,
        found.prompt_tokens,
        found.completion_tokens,
        found.shadow_compared,
        found.shadow_differed,
        tuple(found.latency.counts),
        tuple(found.first_token.counts),
        tuple(found.errors.items()),
        model.waiting_rows,
        model.slots.open,
        model.slots.waiting,
        found.latency.bounds,
        found.first_token.bounds,
    )


def percentile_ms(bounds_ns: Sequence[int], counts: Sequence[int], part: float) -> float | None:
    """The value in milliseconds that this part of what a histogram counted does not exceed; None for an empty one.

    Within a bucket values are taken as spread evenly; of those above all bounds only the last bound is known.
    """
    total = sum(counts)
    if not total:
        return None
    wanted = part * total
    for number, reached in enumerate(accumulate(counts)):
        if reached >= wanted and counts[number]:
            if number == len(bounds_ns):
                break
            low = bounds_ns[number - 1] if number else 0
            inside = (wanted - (reached - counts[number])) / counts[number]
            return (low + (bounds_ns[number] - low) * inside) * _MS
    return bounds_ns[-1] * _MS


def less(now: Sequence[int], before: Sequence[int]) -> Sequence[int]:
    """What was counted between two moments."""
    return [max(0, new - old) for new, old in zip(now, before, strict=True)]
