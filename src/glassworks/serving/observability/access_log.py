"""The access log: one JSON line a request. It holds no query, no header and no body, hence no secret."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from glassworks.serving.access.masking import masked
from glassworks.storage import storage_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from glassworks.serving.supervision import Supervisor
    from glassworks.serving.transports.http.exchange import Answer, Exchange

_FLUSH_S = 0.5
_MAX_WAITING_BYTES = 4 * 2**20
"""Of lines that the system does not take, say on a full disk; beyond that new ones are lost, and counted."""
_GRACE_S = 2.0
_PART = "access log"
_STDERR = 2
_LONGEST_PATH = 100


class AccessLog:
    """Writes to a file, or to the standard error output for `-`, on a thread of its own: no request waits for a disk.

    What the system takes only in part is gone on with, so no half line stands in the middle of the file, which may be
    moved away or cut to nothing at any time.
    """

    def __init__(self, path: str, supervisor: Supervisor, max_waiting_bytes: int = _MAX_WAITING_BYTES) -> None:
        """Raises StorageError when the file cannot be written."""
        self._sink = _Sink(path)
        self._supervisor, self._max_waiting_bytes = supervisor, max_waiting_bytes
        self._encode = msgspec.json.Encoder().encode
        self._lines: deque[bytes] = deque()
        self._noted_bytes = 0
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __call__(self, exchange: Exchange, answer: Answer) -> None:
        """Note a request that was answered."""
        line = {
            "time": round(time.time(), 3),
            "request_id": masked(exchange.request_id.decode("latin-1")),
            "method": exchange.method,
            "path": masked(exchange.target.partition(b"?")[0].decode("latin-1"))[:_LONGEST_PATH],
            "status": answer.status,
            "milliseconds": round((time.perf_counter_ns() - exchange.arrived_ns) / 1e6, 3),
            "received_bytes": len(exchange.body),
            "sent_bytes": len(answer.body),
        }
        text = self._encode(line) + b"\n"
        if self._noted_bytes + len(text) - self._sink.done_bytes > self._max_waiting_bytes:
            self._supervisor.lost(_PART)
            return
        self._noted_bytes += len(text)
        self._lines.append(text)

    async def start(self) -> None:
        """Begin to hand lines over, twice a second."""
        # A system call that never returns, as on a network disk, must not keep the process from ending.
        loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._write, args=(loop,), name=_PART, daemon=True)
        self._thread.start()

    async def stop(self, grace_s: float) -> None:
        """Nothing yet: requests that are still answered are noted too."""

    def close(self, grace_s: float = _GRACE_S) -> None:
        """Hand over what is left, as far as the system takes it within the grace."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(grace_s)

    def _write(self, loop: asyncio.AbstractEventLoop) -> None:
        suffers = False
        while True:
            ended = self._ended.wait(_FLUSH_S)
            try:
                lost = self._sink.write(self._taken())
                if lost:
                    _report(loop, self._supervisor.lost, _PART, lost)
                if suffers:
                    _report(loop, self._supervisor.recovered, _PART)
                suffers = False
            except OSError as error:
                suffers = True
                _report(loop, self._supervisor.suffers, _PART, f"it cannot be written: {error.strerror}")
            except Exception as error:  # noqa: BLE001 - whatever happens, later lines are written
                _report(loop, self._supervisor.failed, _PART, error)
            if ended:
                return

    def _taken(self) -> bytes:
        # One by one: the event loop may add more meanwhile.
        return b"".join([self._lines.popleft() for _ in range(len(self._lines))])


def _report(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *arguments: object) -> None:
    """Call something on the loop's thread; where the loop has ended nobody is there to get it."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(call, *arguments)


class _Sink:
    """The file, and what it has not taken yet. After its making it belongs to one thread."""

    def __init__(self, path: str) -> None:
        self._path = None if path == "-" else path
        self._left, self._inside = b"", False
        self.done_bytes = 0
        """Of all that was to be written, how much the system has taken, or is lost; other threads may ask."""
        with storage_errors(Path(path), "name another file for the access log"):
            self._file = _STDERR if self._path is None else _opened(self._path)

    def write(self, more: bytes) -> int:
        """Write all that there is; how many lines are lost, with a file that went away in the middle of one.

        Raises OSError; then the rest waits for the next time.
        """
        self._left += more
        lost = self._follow()
        while self._left:
            if self._path is None:
                # Whoever reads the other end of a pipe may have made it one that refuses instead of waiting.
                select.select((), (self._file,), ())
            size = os.write(self._file, self._left)
            self._inside = self._left[size - 1 : size] != b"\n"
            self._go_on_behind(size)
        return lost

    def _follow(self) -> int:
        """Go on in a new file where the old one was moved away, and at the beginning where it was cut to nothing."""
        if self._path is None:
            return 0
        found = os.fstat(self._file)
        try:
            named = Path(self._path).stat()
        except FileNotFoundError:
            named = None
        moved = named is None or (named.st_dev, named.st_ino) != (found.st_dev, found.st_ino)
        if moved:
            file = _opened(self._path)
            os.close(self._file)
            self._file = file
        lost = 0
        if self._inside and (moved or found.st_size == 0):
            self._go_on_behind(self._left.find(b"\n") + 1)
            lost, self._inside = 1, False
        return lost

    def _go_on_behind(self, size: int) -> None:
        self._left = self._left[size:]
        self.done_bytes += size


def _opened(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
