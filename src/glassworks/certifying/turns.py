"""Two served models asked in random turns, so that noise of the machine meets both."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from glassworks.certifying.asking import Connection, Request, outputs_of, request_of
from glassworks.contracts import Load, Progress
from glassworks.errors import ServingError
from glassworks.optimization.certificate.evidence import Pair, Series
from glassworks.optimization.measure import batches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glassworks.contracts import Array, Tensors

OURS, THEIRS = "candidate", "reference"
"""What the two models are called on the server."""
REQUESTS = 2000
"""To each of the two, at each load, where the time allows it."""
_WARM_UP = 20
_DEEP = 8
"""Requests of each caller in a block, where several ask at the same time: a block is of one model."""
_ROWS = 32


@dataclass
class _Taken:
    """What one of the two has taken so far."""

    seconds: list[float] = field(default_factory=list)
    blocks: list[float] = field(default_factory=list)

    def add(self, seconds: Sequence[float], wall_s: float) -> None:
        self.seconds += seconds
        self.blocks.append(wall_s)

    def series(self, load: Load, rows: int) -> Series:
        """Raises ServingError where nothing was answered."""
        if not self.seconds:
            raise ServingError(f"the server refused every request with {load.batch} rows", "measure at another load")
        return Series(np.asarray(self.seconds), np.asarray(self.blocks), rows)


def time_both(
    url: str, tensors: Tensors, load: Load, limit_s: float, progress: Progress, requests: int = REQUESTS
) -> Pair:
    """As many requests to each as `requests`, or as the time allows. Raises Cancelled and ServingError.

    Of one caller each request is a turn; several callers ask one model at a time for a block, whose time gives the
    throughput.
    """
    random = np.random.default_rng(0)
    ready = [request_of(each) for each in batches(tensors, load.batch)]
    deep = 1 if load.concurrency == 1 else _DEEP
    per_block, taken = deep * load.concurrency, {OURS: _Taken(), THEIRS: _Taken()}
    end = time.perf_counter() + limit_s
    with ThreadPoolExecutor(load.concurrency) as pool:
        callers = [Connection(url) for _ in range(load.concurrency)]
        try:
            for model in taken:
                _block(pool, callers, model, [ready[row % len(ready)] for row in range(_WARM_UP)], 1)
            for _ in range(-(-requests // per_block)):
                progress.check()
                for model in (OURS, THEIRS) if random.random() < 0.5 else (THEIRS, OURS):
                    asked = [ready[row] for row in random.integers(len(ready), size=per_block)]
                    taken[model].add(*_block(pool, callers, model, asked, deep))
                if time.perf_counter() > end:
                    break
        finally:
            for each in callers:
                each.close()
    return Pair(*(taken[model].series(load, per_block * load.batch) for model in (OURS, THEIRS)))


def _block(
    pool: ThreadPoolExecutor, callers: Sequence[Connection], model: str, asked: Sequence[Request], deep: int
) -> tuple[list[float], float]:
    """Seconds of each request that was answered, and of all together."""

    def call(caller: int) -> list[float]:
        own = asked[caller * deep : (caller + 1) * deep] if len(callers) > 1 else asked
        answers = (callers[caller].ask(model, each) for each in own)
        return [answer[0] for answer in answers if answer is not None]

    begin = time.perf_counter()
    # One caller needs no thread: waking one would be measured too.
    found = [call(0)] if len(callers) == 1 else list(pool.map(call, range(len(callers))))
    return [each for some in found for each in some], time.perf_counter() - begin


@dataclass(frozen=True, eq=False)
class Answers:
    """Outputs of both models for the same `rows` (K) of the held-out examples."""

    rows: NDArray[np.int64]
    ours: dict[str, Array]
    theirs: dict[str, Array]

    def ask(self, outputs: dict[str, Array]) -> Callable[[str], Array]:
        """One by its name, the first for "", as tasks ask for it. Raises ServingError for what is not served."""

        def output(name: str = "") -> Array:
            found = outputs.get(name or next(iter(outputs)))
            if found is None:
                raise ServingError(f"the server gives no output '{name}'", "see the outputs of the model")
            return found if found.dtype.hasobject else found.astype(np.float32, copy=False)

        return output


def answer_both(url: str, tensors: Tensors, limit_s: float, progress: Progress) -> Answers:
    """What both answer, in random parts, all of the examples or as many as the time allows; what the server refuses,
    such as a text that is too long, is left out. Raises Cancelled, and ServingError where nothing is answered.
    """
    total = len(next(iter(tensors.values())))
    parts = np.array_split(np.random.default_rng(1).permutation(total), -(-total // _ROWS))
    rows: list[NDArray[np.int64]] = []
    found: dict[str, list[dict[str, Array]]] = {OURS: [], THEIRS: []}
    connection, end = Connection(url), time.perf_counter() + limit_s
    try:
        for part in parts:
            progress.check()
            request = request_of({name: np.ascontiguousarray(values[part]) for name, values in tensors.items()})
            answered = {model: connection.ask(model, request) for model in found}
            if all(answered.values()):
                rows.append(part)
                for model, answer in answered.items():
                    if answer is not None:
                        found[model].append(dict(outputs_of(*answer[1:])))
            if time.perf_counter() > end:
                break
    finally:
        connection.close()
    if not rows:
        return Answers(np.zeros(0, np.int64), {}, {})
    ours, theirs = (_joined(found[model]) for model in (OURS, THEIRS))
    return Answers(np.concatenate(rows), ours, theirs)


def _joined(parts: Sequence[dict[str, Array]]) -> dict[str, Array]:
    """Raises ServingError for answers of which each part has a shape of its own."""
    try:
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    except (ValueError, KeyError):
        raise ServingError("answers of different requests are not alike", "measure without the server") from None
