"""A stream on its way out of an engine process: computed no further than may be sent, on a thread only while it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from concurrent.futures import Executor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glassworks.contracts import Chunk


class Outgoing:
    """Sends chunks as far as `allow` lets it, then `end` once, with what went wrong if something did."""

    def __init__(
        self,
        chunks: Generator[Chunk, None, None],
        send: Callable[[Chunk], None],
        end: Callable[[Exception | None], None],
        threads: Executor,
    ) -> None:
        self._chunks, self._send, self._end, self._threads = chunks, send, end, threads
        self._lock = threading.Lock()
        self._allowed, self._running, self._over = 0, False, False

    def allow(self, chunks: int) -> None:
        """Let so many more be sent."""
        with self._lock:
            self._allowed += chunks
            if self._running:
                return
            self._running = True
        self._threads.submit(self._run)

    def cancel(self) -> None:
        """Let none be sent any more; one that is being computed is finished first."""
        self._over = True
        self.allow(1)

    def _run(self) -> None:
        error: Exception | None = None
        try:
            while self._may_go_on():
                if self._over or (chunk := next(self._chunks, None)) is None:
                    break
                with self._lock:
                    self._allowed -= 1
                self._send(chunk)
            else:
                return
            self._chunks.close()
        except Exception as raised:  # noqa: BLE001 - engines raise many classes; the server logs what it was
            error = raised
        # Whatever comes for it now is late: it stays running for ever.
        self._end(error)

    def _may_go_on(self) -> bool:
        """False gives the thread back: `allow` takes another one."""
        with self._lock:
            self._running = self._over or self._allowed > 0
            return self._running
