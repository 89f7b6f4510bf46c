"""The usual time of a call."""

from __future__ import annotations

from typing import ClassVar

from glassworks.optimization.quantities._latency import Latency


class LatencyP50(Latency):
    """Milliseconds that half of the calls take at most: `latency_p50@32` with 32 rows a call, `latency_p50@1x8` with
    eight callers of one row each at the same time.
    """

    name: ClassVar[str] = "latency_p50"
    share: ClassVar[float] = 0.50
