"""What is counted of a model's work. Statistics, metrics and the API read the same numbers, so that they agree."""

from __future__ import annotations

import time
from bisect import bisect_left

LATENCY_S = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Upper bounds of the buckets of durations, in seconds."""
BATCH_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Upper bounds of the buckets of batch sizes, in rows."""
FIRST_TOKEN_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
"""Upper bounds of the buckets of times to the first token, which hold the wait for a place."""
_FIRST_TOKEN_NS = tuple(int(bound * 1e9) for bound in FIRST_TOKEN_S)
_LATENCY_NS = tuple(int(bound * 1e9) for bound in LATENCY_S)


class Histogram:
    """Counts by bucket; the last bucket is for what is above all bounds. Values are whole numbers (ns, rows)."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[int, ...]) -> None:
        self.bounds, self.counts, self.total = bounds, [0] * (len(bounds) + 1), 0

    def add(self, value: int) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many values were counted."""
        return sum(self.counts)


class Duration:
    """How often something happened, and how long it took in all."""

    __slots__ = ("count", "ns")

    def __init__(self) -> None:
        self.count = self.ns = 0

    def add(self, ns: int) -> None:
        """Count one that took so long."""
        self.count += 1
        self.ns += ns


class Statistics:
    """The counts of one version of a model. Each number only grows; all are changed on the event loop."""

    def __init__(self) -> None:
        self.latency, self.queue = Histogram(_LATENCY_NS), Histogram(_LATENCY_NS)
        self.batch_rows = Histogram(BATCH_ROWS)
        self.success, self.fail, self.explain = Duration(), Duration(), Duration()
        self.input_ns = self.infer_ns = self.output_ns = 0
        self.rows = self.executions = self.dropped = 0
        self.prompt_tokens = self.cached_tokens = self.completion_tokens = 0
        """Of streamed answers; the cached ones are among those of prompts."""
        self.first_token = Histogram(_FIRST_TOKEN_NS)
        self.last_ms = 0
        self.batches: dict[int, Duration] = {}
        self.errors: dict[str, int] = {}
        self.feedback: dict[str, int] = {}
        """Events of feedback by what became of them."""
        self.shadow_compared = self.shadow_differed = 0

    @property
    def tokens(self) -> int:
        """Of prompts and completions together."""
        return self.prompt_tokens + self.completion_tokens

    def answered(self, rows: int, input_ns: int, queue_ns: int, infer_ns: int, output_ns: int) -> None:
        """A request of so many rows succeeded: it was read, waited, was computed and written in these times."""
        total = input_ns + queue_ns + infer_ns + output_ns
        self.rows += rows
        self.success.add(total)
        self.input_ns += input_ns
        self.infer_ns += infer_ns
        self.output_ns += output_ns
        self.latency.add(total)
        self.queue.add(queue_ns)

    def failed(self, kind: str, ns: int) -> None:
        """A request ended with an error of that class."""
        self.fail.add(ns)
        self.errors[kind] = self.errors.get(kind, 0) + 1

    def drop(self) -> None:
        """Nobody waits for a request any longer."""
        self.dropped += 1

    def executed(self, rows: int, ns: int) -> None:
        """The engine computed a batch."""
        self.executions += 1
        self.last_ms = time.time_ns() // 1_000_000
        self.batch_rows.add(rows)
        duration = self.batches.get(rows)
        if duration is None:
            duration = self.batches[rows] = Duration()
        duration.add(ns)
