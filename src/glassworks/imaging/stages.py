"""Reads, works and writes at the same time: three threads with short queues between them, everything in its order."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_T = TypeVar("_T")
_WAITING = 4
"""Items that may wait before a stage: enough to even out their times, and all that is kept in memory."""
_LOOK_S = 0.2


class _Stopped(Exception):
    """Another stage ended: nothing went wrong here."""


class _End:
    """Behind the last item."""


def run_stages(read: Iterable[_In], work: Callable[[_In], _Out], write: Callable[[_Out], None]) -> None:
    """Write the work on every item, in order. `work` runs on this thread. Raises the first error of any stage.

    A stage waits where the next one is behind, so memory does not grow. PyAV and OpenCV let other threads run.
    """
    stop = threading.Event()
    given, done = _Lane[_In](stop), _Lane[_Out](stop)
    errors: list[BaseException] = []

    def guarded(stage: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                stage()
            except _Stopped:
                return
            except BaseException as error:  # noqa: BLE001 - it is raised on the thread that asked
                errors.append(error)
                stop.set()

        return run

    def reading() -> None:
        for item in read:
            given.put(item)
        given.put(_End())

    def working() -> None:
        while not isinstance(item := given.get(), _End):
            done.put(work(item))
        done.put(_End())

    def writing() -> None:
        while not isinstance(item := done.get(), _End):
            write(item)

    threads = [threading.Thread(target=guarded(stage), name=stage.__name__) for stage in (reading, writing)]
    for thread in threads:
        thread.start()
    try:
        guarded(working)()
    finally:
        if errors:
            stop.set()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]


class _Lane(Generic[_T]):
    """A short queue whose waiters end when any stage has failed."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._queue: queue.Queue[_T | _End] = queue.Queue(_WAITING)

    def put(self, item: _T | _End) -> None:
        while not self._stop.is_set():
            try:
                return self._queue.put(item, timeout=_LOOK_S)
            except queue.Full:
                continue
        raise _Stopped

    def get(self) -> _T | _End:
        while not self._stop.is_set():
            try:
                return self._queue.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
        raise _Stopped
