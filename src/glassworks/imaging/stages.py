"""Reads, works and writes at the same time: three threads with short queues between them, everything in its order."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
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
    given, done = _Channel[_In](stop), _Channel[_Out](stop)
    errors: list[BaseException] = []

    def writing() -> None:
        for item in done:
            write(item)

    stages = (lambda: given.fill(read), writing)
    threads = [threading.Thread(target=_guarded, args=(stage, stop, errors)) for stage in stages]
    for thread in threads:
        thread.start()
    _guarded(lambda: done.fill(map(work, given)), stop, errors)
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def _guarded(stage: Callable[[], None], stop: threading.Event, errors: list[BaseException]) -> None:
    """Run a stage; what it raises ends the others, and is raised on the thread that asked."""
    try:
        stage()
    except _Stopped:
        return
    except BaseException as error:  # noqa: BLE001 - it is kept
        errors.append(error)
        stop.set()


class _Channel(Generic[_T]):
    """A short queue whose waiters end when any stage has failed."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._queue: queue.Queue[_T | _End] = queue.Queue(_WAITING)

    def fill(self, items: Iterable[_T]) -> None:
        """Put all items, then the end."""
        for item in items:
            self.put(item)
        self.put(_End())

    def __iter__(self) -> Iterator[_T]:
        while not isinstance(item := self.get(), _End):
            yield item

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
