"""`glassworks worker`: takes runs from the queue, one at a time, and lets each work in a process of its own."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import IO

from glassworks.catalog import found
from glassworks.contracts import Work
from glassworks.errors import GlassworksError
from glassworks.machine import available_bytes, computed_s, modules_path, total_bytes
from glassworks.registry import Registry
from glassworks.runs.execution import LOST
from glassworks.runs.presence import Presence
from glassworks.runs.queue import Queue, Report
from glassworks.runs.records import Run
from glassworks.runs.store import LEASE_S, Runs

_LOOK_S, _PATIENCE_S = 0.5, 5.0
STOP_S = 30.0
"""A step that takes longer is cut off when a worker is stopped: the run goes on from its last checkpoint."""
_PLENTY = 4 * 2**30
_ASKED = 4
"""Times a lease."""
_MOST_LINE = 2000
_LINES = 200
"""Lines that are kept of one look's worth of output."""


class Worker:
    """Takes runs until it is asked_at to stop."""

    def __init__(
        self, registry: Registry, said: Callable[[str], None] = lambda line: None, stop_s: float = STOP_S
    ) -> None:
        """`said` gets a line for each run that begins and ends; a run that is to stop is cut off after `stop_s`."""
        self._runs, self._said, self._stop_s = Runs(registry), said, stop_s
        self._short_of_memory = False
        self._name = f"{socket.gethostname()[:60]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._failure = ""
        self._presence = Presence(registry.home)
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Let the run that is under way stop at its next step, where another worker may go on; take no other."""
        self._stopping.set()
        with contextlib.suppress(OSError):  # it may have ended already
            self._presence.leave()

    def work(self, *, until_empty: bool = False) -> None:
        """Until `stop`, or until nothing waits any more. A database that cannot be reached is asked again later."""
        self._presence.enter()
        try:
            while not self._stopping.is_set():
                taken = self._taken()
                if taken is False and until_empty and self._empty():
                    # What is queued from now on sees that nobody is here; what was queued before is taken.
                    self._presence.leave()
                    if not self._taken() and self._empty():
                        return
                    self._presence.enter()
                elif not taken:
                    self._stopping.wait(_LOOK_S if taken is False else _PATIENCE_S)
        finally:
            self._presence.close()

    def _taken(self) -> bool | None:
        """Whether there was a run to take; None where that cannot be known."""
        try:
            return self._next()
        except GlassworksError as error:
            if str(error) != self._failure:
                self._said(f"the queue of runs cannot be used: {error}")
            self._failure = str(error)
            return None

    def _empty(self) -> bool:
        """Whether no run waits, not even for later; unknown is no."""
        try:
            return not self._runs.waits(_by_services())
        except GlassworksError:
            return False

    def _next(self) -> bool:
        self._runs.recover()
        worker = f"{self._name}-{uuid.uuid4().hex[:8]}"
        queue = Queue(self._runs, worker)
        too_large = _too_large()
        run = queue.claim((*too_large, *_by_services()))
        self._failure = ""
        if run is None:
            self._say_what_is_short(too_large)
            return False
        self._short_of_memory = False
        self._said(f"run {run.id}: {run.kind} of {run.about}")
        try:
            self._execute(run, queue, worker)
        except OSError as error:
            queue.died(run.id, f"its process cannot be started: {error}")
        self._said(f"run {run.id}: {self._runs.get(run.id).state}")
        return True

    def _say_what_is_short(self, kinds: Sequence[str]) -> None:
        if not self._short_of_memory and kinds and self._runs.waits(_by_services()):
            self._said(f"no memory is free for runs that are {', '.join(kinds)}: they wait")
            self._short_of_memory = True

    def _execute(self, run: Run, queue: Queue, worker: str) -> None:
        asked_at, mine = None, True
        with _process(run.id, worker) as process:
            lines, pulse = _Lines(process), Pulse(process.pid)
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK_S)
                with contextlib.suppress(GlassworksError):  # the run itself goes on
                    lines.keep(queue, run.id)
                    still_mine = queue.renew if pulse.beats() else queue.is_mine
                    mine = still_mine(run.id) or process.poll() is not None
                if self._stopping.is_set() and asked_at is None:
                    asked_at = time.monotonic()
                    process.terminate()
                if not mine or (asked_at is not None and time.monotonic() - asked_at > self._stop_s):
                    _end(process)
            lines.join()
            lines.keep(queue, run.id)
        code = process.returncode
        if not mine or code == LOST:
            return
        if asked_at is not None and queue.is_mine(run.id):  # it was cut off, which is no fault of its own
            queue.give_back(run.id, Report())
        else:
            how = f"it was ended by {signal.Signals(-code).name}" if code < 0 else f"it ended with the code {code}"
            queue.died(run.id, how)


def _too_large() -> tuple[str, ...]:
    """Kinds of work for which too little memory is free, though the machine has it."""
    free, half = available_bytes(), (total_bytes() or 0) // 2
    if free is None or free >= _PLENTY:  # which needs no look at what each kind takes
        return ()
    return tuple(name for name, work in found(Work).items() if free < min(work.memory_bytes, half))


@functools.cache
def _by_services() -> tuple[str, ...]:
    """Kinds of work that are not for workers."""
    return tuple(name for name, work in found(Work).items() if work.by_service)


class Pulse:
    """Whether a process computes, asked a few times a lease.

    One that is still loading, holds the interpreter's lock in a long call, or gets little of a busy machine reports too
    late, and is not dead. One that stands still does not compute, and loses its run with its lease.
    """

    def __init__(
        self,
        process: int,
        computed: Callable[[int], float | None] = computed_s,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._process, self._computed, self._clock = process, computed, clock
        self._asked_at, self._known = clock(), computed(process)

    def beats(self) -> bool:
        """False where it is not asked yet, or the system does not say."""
        now = self._clock()
        if now - self._asked_at < LEASE_S / _ASKED:
            return False
        known, self._known, self._asked_at = self._known, self._computed(self._process), now
        return self._known is not None and self._known != known


class _Lines:
    """What a process writes, line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._lines: list[str] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        self._thread.start()

    def taken(self) -> list[str]:
        with self._lock:
            lines, self._lines = self._lines, []
        return lines

    def keep(self, queue: Queue, run: str) -> None:
        """As what the run wrote."""
        if written := [line for line in self.taken() if line.strip()]:
            queue.log(run, written)

    def join(self) -> None:
        self._thread.join(_LOOK_S)

    def _read(self, output: IO[str] | None) -> None:
        while output and (line := output.readline(_MOST_LINE)):
            with self._lock:
                if len(self._lines) < _LINES:
                    self._lines.append(line.rstrip("\n"))


def _end(process: subprocess.Popen[str]) -> None:
    """With everything that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def _process(run: str, worker: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-P", "-m", "glassworks.runs.execution", run, worker],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONPATH": modules_path(), "NO_COLOR": "1"},
        process_group=0,
    )
    try:
        yield process
    finally:
        _end(process)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
