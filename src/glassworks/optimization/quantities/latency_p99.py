"""The time of a slow call."""

from __future__ import annotations

from typing import ClassVar

from glassworks.optimization.quantities._latency import Latency


class LatencyP99(Latency):
    """Milliseconds that 99 % of the calls take at most: `latency_p99@32` with 32 rows a call, `latency_p99@1x8` with
    eight callers of one row each at the same time.
    """

    name: ClassVar[str] = "latency_p99"
    share: ClassVar[float] = 0.99
