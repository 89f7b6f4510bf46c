"""`glassworks worker`: takes runs from the queue, one at a time, and lets each work in a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from glassworks.errors import GlassworksError
from glassworks.registry import Registry
from glassworks.runs.execution import LOST
from glassworks.runs.queue import Queue
from glassworks.runs.records import Run
from glassworks.runs.store import ALIVE_S, Runs

_LOOK_S = 0.5
STOP_S = 30.0
"""A step that takes longer is cut off when a worker is stopped: the run goes on from its last checkpoint."""
_MOST_LINE = 2000
_LINES = 200
"""Lines that are kept of one look's worth of output."""


class Worker:
    """Takes runs until it is asked_at to stop."""

    def __init__(self, registry: Registry, said: Callable[[str], None] = lambda line: None) -> None:
        """`said` gets a line for each run that begins and ends."""
        self._runs, self._said = Runs(registry), said
        self._name = f"{socket.gethostname()[:60]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._seen = -ALIVE_S
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Let the run that is under way stop at its next step, where another worker may go on; take no other."""
        self._stopping.set()

    def work(self, *, until_empty: bool = False) -> None:
        """Until `stop`, or until nothing waits any more. A database that cannot be reached is asked again later."""
        try:
            while not self._stopping.is_set():
                if not self._taken():
                    if until_empty:
                        return
                    self._stopping.wait(_LOOK_S)
        finally:
            with contextlib.suppress(GlassworksError):
                Queue(self._runs, self._name).gone()

    def _taken(self) -> bool:
        try:
            self._show()
            return self._next()
        except GlassworksError as error:
            self._said(f"the queue of runs cannot be used: {error.problem}")
            return False

    def _show(self) -> None:
        if time.monotonic() - self._seen > ALIVE_S / 3:
            Queue(self._runs, self._name).seen()
            self._seen = time.monotonic()

    def _next(self) -> bool:
        """Whether there was a run to take."""
        worker = f"{self._name}-{uuid.uuid4().hex[:8]}"
        queue = Queue(self._runs, worker)
        queue.recover()
        run = queue.claim()
        if run is None:
            return False
        self._said(f"run {run.id}: {run.kind} of {run.about}")
        self._execute(run, queue, worker)
        after = self._runs.get(run.id)
        self._said(f"run {run.id}: {after.state}")
        return True

    def _execute(self, run: Run, queue: Queue, worker: str) -> None:
        with _process(run.id, worker) as process:
            lines = _Lines(process)
            asked_at = None
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK_S)
                _keep(queue, run.id, lines)
                with contextlib.suppress(GlassworksError):
                    self._show()
                if self._stopping.is_set() and asked_at is None:
                    process.terminate()
                    asked_at = time.monotonic()
                if asked_at is not None and time.monotonic() - asked_at > STOP_S:
                    process.kill()
            lines.join()
            _keep(queue, run.id, lines)
            code = process.returncode
        how = f"it was ended by {signal.Signals(-code).name}" if code < 0 else f"it ended with the code {code}"
        if code != LOST:
            queue.died(run.id, how)


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

    def join(self) -> None:
        self._thread.join(_LOOK_S)

    def _read(self, output: IO[str] | None) -> None:
        while output and (line := output.readline(_MOST_LINE)):
            with self._lock:
                if len(self._lines) < _LINES:
                    self._lines.append(line.rstrip("\n"))


def _keep(queue: Queue, run: str, lines: _Lines) -> None:
    written = [line for line in lines.taken() if line.strip()]
    if written:
        with contextlib.suppress(GlassworksError):  # the run itself goes on
            queue.log(run, written)


@contextlib.contextmanager
def _process(run: str, worker: str) -> Iterator[subprocess.Popen[str]]:
    path = os.pathsep.join(str(Path(folder).absolute()) for folder in sys.path)
    process = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-P", "-m", "glassworks.runs.execution", run, worker],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONPATH": path, "NO_COLOR": "1"},
        process_group=0,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
