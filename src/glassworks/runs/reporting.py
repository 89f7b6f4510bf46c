"""What an operation reports becomes events of its run, a few times a second."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from glassworks.contracts import Progress
from glassworks.errors import GlassworksError
from glassworks.runs.queue import Lost, Queue, Report

_EVERY_S = 0.5
_MOST_VALUES = 50
"""Reports of values between two writes; of more, the newest are kept."""


class Reporting(Progress):
    """The progress of a run. A thread of its own writes, and learns there whether the run is to be cancelled."""

    def __init__(self, queue: Queue, run: str, newest: Callable[[], int], lost: Callable[[], None]) -> None:
        """`newest` is the number of the newest version of what is about to be published; `lost` is called once the run
        belongs to another worker."""
        self._queue, self._run, self._newest, self._lost = queue, run, newest, lost
        self._lock = threading.Lock()
        self._events: list[tuple[float, str, Mapping[str, Any]]] = []
        self._stage, self._stages, self._step = "", 0, 0
        self._total: int | None = None
        self._ended = threading.Event()

    def start(self, stage: str, total: int | None = None) -> None:
        """A stage begins."""
        super().start(stage, total)
        if stage == "package":
            self._queue.publish_after(self._run, self._newest())
        with self._lock:
            self._stage, self._stages, self._step, self._total = stage, self._stages + 1, 0, total
        self._note("stage", {"stage": stage, "total": total})

    def update(self, **values: float | str) -> None:
        """Values of the moment."""
        super().update(**values)
        step = values.get("step")
        with self._lock:
            self._step = int(step) if isinstance(step, int | float) else self._step + 1
        self._note("values", {"stage": self._stage, **values})

    def finish(self, message: str = "") -> None:
        """The stage ended."""
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
            events, self._events = _thinned(self._events), []
            return Report(events=events, stage=self._stage, stages=self._stages, step=self._step, total=self._total)

    def _note(self, kind: str, data: Mapping[str, Any]) -> None:
        with self._lock:
            self._events.append((time.time(), kind, data))
            if len(self._events) > 20 * _MOST_VALUES:
                self._events = _thinned(self._events)

    def _write(self) -> None:
        while not self._ended.wait(_EVERY_S):
            report = self.report()
            try:
                if self._queue.report(self._run, report):
                    self.cancel()
            except Lost:
                self._lost()
            except GlassworksError:
                # The database is busy or its disk full: what was not written comes next time, the work goes on.
                with self._lock:
                    self._events = [*report.events, *self._events]


def _thinned(events: list[tuple[float, str, Mapping[str, Any]]]) -> list[tuple[float, str, Mapping[str, Any]]]:
    """Values that came more often than anybody looks are left out, evenly, the last ones of a stage never."""
    values = [number for number, (_, kind, _) in enumerate(events) if kind == "values"]
    if len(values) <= _MOST_VALUES:
        return events
    step = len(values) / _MOST_VALUES
    kept = {values[min(int((number + 1) * step) - 1, len(values) - 1)] for number in range(_MOST_VALUES)}
    return [each for number, each in enumerate(events) if each[1] != "values" or number in kept]
