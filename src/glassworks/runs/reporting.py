"""What an operation reports becomes events of its run, a few times a second."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from glassworks.contracts import Progress
from glassworks.runs.queue import Lost, Queue, Report

_EVERY_S = 0.5
_LEAST_S, _POINTS = 0.1, 2000
"""Seconds between two values of a series that are kept; in a long stage a share of how long it has lasted."""


class Reporting(Progress):
    """The progress of a run. A thread of its own writes, and learns there what is asked of the run."""

    def __init__(
        self,
        queue: Queue,
        run: str,
        lost: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`lost` is called once the run belongs to another worker."""
        self._queue, self._run, self._lost, self._clock = queue, run, lost, clock
        self._values: dict[str, Any] = {}
        self._begun = self._kept_at = 0.0
        self._left_out: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._events: list[tuple[float, str, Mapping[str, Any]]] = []
        self._stage, self._stages, self._step = "", 0, 0
        self._total: int | None = None
        self._ended = threading.Event()

    def start(self, stage: str, total: int | None = None) -> None:
        """A stage begins."""
        super().start(stage, total)
        self._keep_last()
        with self._lock:
            self._stage, self._stages, self._step, self._total = stage, self._stages + 1, 0, total
            self._values, self._begun, self._kept_at = {}, self._clock(), 0.0
        self._note("stage", {"stage": stage, "total": total})

    def update(self, **values: float | str) -> None:
        """Values of the moment. With a name among them, such as a candidate's, they are its alone: all are kept."""
        super().update(**values)
        now, found = self._clock(), {name: _plain(value) for name, value in values.items()}
        named = any(isinstance(value, str) for value in values.values())
        if named or self._ends_an_epoch(found.get("step")):
            self._keep_last()
        with self._lock:
            step = found.get("step")
            self._step = int(step) if isinstance(step, float) else self._step + 1
            self._values |= found
            self._left_out |= found
        if named or now - self._kept_at >= max(_LEAST_S, (now - self._begun) / _POINTS):
            self._kept_at = now
            self._keep_last()

    def finish(self, message: str = "") -> None:
        """The stage ended."""
        self._keep_last()
        self._note("done", {"stage": self._stage, "message": message})

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Reports are written within it."""
        thread = threading.Thread(target=self._write, name="reports of a run", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def report(self) -> Report:
        """What was not written yet."""
        with self._lock:
            events, self._events = self._events, []
            where = Report(stage=self._stage, stages=self._stages, step=self._step, total=self._total)
            return replace(where, events=events, values=dict(self._values))

    def _ends_an_epoch(self, step: object) -> bool:
        """Whether what is left out is what an epoch measured: values of a later step must not change it."""
        with self._lock:
            return "epoch" in self._left_out and self._left_out.get("step") != step

    def _keep_last(self) -> None:
        with self._lock:
            values, self._left_out = self._left_out, {}
        if values:
            self._note("values", {"stage": self._stage, **values})

    def _note(self, kind: str, data: Mapping[str, Any]) -> None:
        with self._lock:
            self._events.append((self._clock(), kind, data))

    def _write(self) -> None:
        while not self._ended.wait(_EVERY_S):
            report = self.report()
            try:
                asked = self._queue.report(self._run, report)
                if asked.cancel:
                    self.cancel()
                if asked.finish:
                    self.suffice()
            except Lost:
                self._lost()
            except Exception:  # noqa: BLE001 - a busy database, a full disk: written next time, and the work goes on
                with self._lock:
                    self._events = [*report.events, *self._events]


def _plain(value: float | str) -> float | str:
    """As JSON has it: NumPy's numbers too, and what is no number by its name."""
    if isinstance(value, str):
        return value
    number = float(value)
    return number if math.isfinite(number) else str(number)
