"""How much the models answer and how quickly, over the last seconds: one look for all consoles, once a second."""

from __future__ import annotations

import functools
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel

from glassworks.control.counting import Counted, Sample, less, percentile_ms, sample
from glassworks.control.watching import Watched

if TYPE_CHECKING:
    from glassworks.serving.core.models import Models
    from glassworks.serving.transports.http.asgi import Serving

_EVERY_S = 1.0
_RATE_S = 5.0
"""Rates are over so long: over one second they would jump about."""
_QUANTILES_S = 15.0
_LATELY_S = 300.0
_SPARSE_S = 10.0
"""Between two samples that are kept for long."""


class VersionStatistics(BaseModel):
    """What a version of a model has answered since it was loaded, and at what rate it does now.

    Rates are null until they can be told, and latencies where nothing was answered lately.
    """

    model: str
    version: str
    requests: int
    errors: int
    rows: int
    explanations: int
    explanation_ms: float | None
    """What one took on average."""
    prompt_tokens: int
    completion_tokens: int
    waiting_rows: int
    streams_open: int
    streams_waiting: int
    requests_per_s: float | None = None
    errors_per_s: float | None = None
    rows_per_s: float | None = None
    explanations_per_s: float | None = None
    tokens_per_s: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    first_token_p50_ms: float | None = None
    shadow_compared: int = 0
    shadow_differed: int = 0


class Snapshot(BaseModel):
    """All versions in service at a moment, in seconds since 1970."""

    at: float
    models: list[VersionStatistics]


class Sampler:
    """Looks at the counters of the running service. Any thread may use it, but for `watched`."""

    def __init__(self, live: Serving, models: Models) -> None:
        self._live, self._models = live, models
        self._recent: deque[Sample] = deque()
        self._sparse: deque[Sample] = deque()
        self._lock = threading.Lock()

    @functools.cached_property
    def watched(self) -> Watched[Snapshot]:
        """What `look` gives, while somebody follows it. Use it on one event loop."""
        return Watched(self.look, _EVERY_S)

    def look(self) -> Snapshot:
        """The statistics of this moment."""
        now = self._taken()
        with self._lock:
            recent = list(self._recent)
        rates, quantiles = _within(recent, now, _RATE_S), _within(recent, now, _QUANTILES_S)
        return Snapshot(at=now.at, models=[_version(each, now, rates, quantiles) for each in now.versions])

    def lately(self) -> Sequence[tuple[Counted, int, int]]:
        """The versions with what they answered and what failed in the last minutes, as far back as is known."""
        now = self._taken()
        with self._lock:
            before = _within(list(self._sparse), now, _LATELY_S)
        found = []
        for each in now.versions:
            old = _before(each, before)
            if old is not None:
                found.append((each, each.requests - old.requests, each.errors - old.errors))
        return found

    def _taken(self) -> Sample:
        models = self._models

        async def take() -> Sample:
            return sample(models)

        now = self._live.ask(take)
        with self._lock:
            _keep(self._recent, now, 0.5 * _EVERY_S, _QUANTILES_S)
            _keep(self._sparse, now, _SPARSE_S, _LATELY_S)
        return now


def _keep(samples: deque[Sample], now: Sample, every_s: float, last_s: float) -> None:
    if not samples or now.passed_s - samples[-1].passed_s >= every_s:
        samples.append(now)
    while samples and now.passed_s - samples[0].passed_s > last_s + 2 * every_s + 1.0:
        samples.popleft()


def _within(samples: Sequence[Sample], now: Sample, last_s: float) -> tuple[float, Mapping[tuple[str, str], Counted]]:
    """The oldest sample that is not older than so long, and how long ago that is; 0 for none."""
    for each in samples:
        if 0.0 < now.passed_s - each.passed_s <= last_s:
            return now.passed_s - each.passed_s, {(old.model, old.version): old for old in each.versions}
    return 0.0, {}


def _before(now: Counted, then: tuple[float, Mapping[tuple[str, str], Counted]]) -> Counted | None:
    """The same version then; None where it was not there, or was loaded anew since."""
    found = then[1].get((now.model, now.version))
    return None if found is None or found.requests > now.requests or found.errors > now.errors else found


def _version(
    now: Counted,
    moment: Sample,
    rates: tuple[float, Mapping[tuple[str, str], Counted]],
    quantiles: tuple[float, Mapping[tuple[str, str], Counted]],
) -> VersionStatistics:
    found = VersionStatistics.model_validate(
        {
            **{name: value for name, value in now._asdict().items() if name in VersionStatistics.model_fields},
            "explanation_ms": now.explanation_ns / now.explanations * 1e-6 if now.explanations else None,
        }
    )
    if (old := _before(now, rates)) is not None:
        seconds = rates[0]
        found.requests_per_s = (now.requests - old.requests) / seconds
        found.errors_per_s = (now.errors - old.errors) / seconds
        found.rows_per_s = (now.rows - old.rows) / seconds
        found.explanations_per_s = (now.explanations - old.explanations) / seconds
        found.tokens_per_s = (now.completion_tokens - old.completion_tokens) / seconds
    if (old := _before(now, quantiles)) is not None:
        latency = less(now.latency, old.latency)
        found.p50_ms = percentile_ms(now.latency_bounds, latency, 0.5)
        found.p99_ms = percentile_ms(now.latency_bounds, latency, 0.99)
        first = less(now.first_token, old.first_token)
        found.first_token_p50_ms = percentile_ms(now.first_token_bounds, first, 0.5)
    return found
