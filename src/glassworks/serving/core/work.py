"""The rows of one request on their way through a batcher; those of many rows go in parts."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from glassworks.contracts import Tensors

LEVELS = 9
"""Priorities from 1, the first to be served, to this one."""
DEFAULT_LEVEL = 5
ROW_BYTES = 2**18
"""A row that waits counts as many where it has more bytes."""
_clock = time.perf_counter_ns


class Kind:
    """What rows that can be computed together have in common. Rows of texts have no number of bytes."""

    __slots__ = ("row_bytes", "small")

    def __init__(self, row_bytes: int) -> None:
        self.row_bytes, self.small = row_bytes, 0 < row_bytes <= ROW_BYTES


class Work:
    """The rows of one request on their way through a batcher.

    `done` is called on the event loop, once, when `outputs` or `error` is set. Times are of `time.perf_counter_ns`.
    Set `dropped` when nobody waits any longer: what has not begun is then not computed. `usage` is who pays for it:
    key, model and version; `tokens` are those that it is charged for, beside its rows. `caller` is whom the queue is
    fair to; without one, it is fair to the request.
    """

    kind: Kind
    number: int
    load: int
    """These three are the queue's."""
    __slots__ = (
        "caller", "computed_ns", "deadline_ns", "done", "dropped", "error", "flow", "kind", "level", "load", "number",
        "outputs", "parts", "queued_ns", "rows", "started_ns", "tensors", "tokens",
        "usage",
    )  # fmt: skip

    def __init__(
        self,
        tensors: Tensors,
        done: Callable[[Work], None],
        timeout_ns: int = 0,
        level: int = DEFAULT_LEVEL,
        caller: str | None = None,
    ) -> None:
        self.tensors, self.done, self.level, self.caller = tensors, done, level, caller
        self.rows = len(next(iter(tensors.values())))
        self.queued_ns = _clock()
        self.deadline_ns = self.queued_ns + timeout_ns if timeout_ns else 0
        self.started_ns = self.computed_ns = self.tokens = 0
        self.outputs: Tensors = {}
        self.error: Exception | None = None
        self.dropped = False
        self.usage: tuple[str, str, str] | None = None
        self.parts: Parts | None = None
        self.flow: Flow | None = None

    def drop(self) -> None:
        """Nobody waits for it any longer."""
        self.dropped = True

    def over(self, now_ns: int) -> bool:
        """Whether nobody waits for it any longer, or its time has passed."""
        parts = self.parts
        if self.dropped or (parts is not None and (parts.answered or parts.whole.dropped)):
            return True
        return self.deadline_ns != 0 and self.deadline_ns < now_ns

    def times(self, arrived_ns: int) -> tuple[int, int, int, int]:
        """How long it was read, waited, was computed and is being written until now, in nanoseconds."""
        spent_ns = self.computed_ns - self.started_ns
        return self.queued_ns - arrived_ns, self.started_ns - self.queued_ns, spent_ns, _clock() - self.computed_ns


class Parts:
    """A request of more rows than a batch has: one part of it at a time waits, and the last one answers for all."""

    __slots__ = ("_begin", "_max_rows", "_outputs", "_spent_ns", "answered", "whole")

    def __init__(self, whole: Work, max_rows: int) -> None:
        self.whole, self._max_rows = whole, max_rows
        self._begin, self._spent_ns = 0, 0
        self._outputs: list[Tensors] = []
        self.answered = False

    @property
    def rows(self) -> int:
        """Of the next part; 0 when there is none."""
        return 0 if self.answered else min(self.whole.rows - self._begin, self._max_rows)

    def next(self) -> Work:
        """The part behind the last one, which must have been taken."""
        whole, end = self.whole, self._begin + self._max_rows
        rows = {name: values[self._begin : end] for name, values in whole.tensors.items()}
        self._begin = min(end, whole.rows)
        part = Work(rows, self._done, level=whole.level, caller=whole.caller)
        part.deadline_ns, part.kind, part.parts = whole.deadline_ns, whole.kind, self
        return part

    def stop(self) -> None:
        """No further part is needed."""
        self._begin = self.whole.rows

    def _done(self, part: Work) -> None:
        whole = self.whole
        if self.answered:
            return
        whole.error = part.error
        self._spent_ns += part.computed_ns - part.started_ns
        self._outputs.append(part.outputs)
        if whole.error is None and len(self._outputs) * self._max_rows < whole.rows:
            return
        self.answered = True
        if whole.error is None:
            try:
                whole.outputs = joined(self._outputs)
            except Exception as error:  # noqa: BLE001 - say of memory; whoever waits gets an answer
                whole.error = error
        # What was spent on it, without the turns of others in between.
        whole.started_ns, whole.computed_ns = part.computed_ns - self._spent_ns, part.computed_ns
        whole.done(whole)


class Flow:
    """What one caller, or one request of many rows, has waiting at a priority.

    At most as many rows as a batch has are in line; the rest is behind, and each of its requests has turns.
    """

    __slots__ = ("behind", "caller", "rows")

    def __init__(self, caller: str | None) -> None:
        self.caller, self.rows = caller, 0
        self.behind: deque[Work | Parts] = deque()


def common_of(tensors: Tensors) -> Hashable:
    """Equal for rows that can be computed together."""
    return tuple([(name, values.dtype.num, values.shape[1:]) for name, values in tensors.items()])


def row_bytes_of(tensors: Tensors) -> int:
    """Bytes of a row of numbers, the same for all that can be computed together; 0 for texts, which differ."""
    if any(values.dtype.hasobject for values in tensors.values()):
        return 0
    return sum(values.itemsize * math.prod(values.shape[1:]) for values in tensors.values())


def text_bytes_of(tensors: Tensors) -> int:
    """Bytes of all rows of texts."""
    return sum(sum(map(len, values.ravel().tolist())) for values in tensors.values() if values.dtype.hasobject)


def joined(parts: Sequence[Tensors]) -> Tensors:
    """The rows of all, by name."""
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
