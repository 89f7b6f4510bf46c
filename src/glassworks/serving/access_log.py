"""The access log: one JSON line a request. It holds no query, no header and no body, hence no secret."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from glassworks.serving.access.keys import shown
from glassworks.training.checkpoint import storage_errors

if TYPE_CHECKING:
    from glassworks.serving.http.exchange import Answer, Exchange

_FLUSH_S = 0.5
_BUFFER_BYTES = 2**16


class AccessLog:
    """Writes to a file, or to the standard error output for `-`; lines are handed to the system twice a second."""

    def __init__(self, place: str) -> None:
        """Raises StorageError when the file cannot be written."""
        with storage_errors(Path(place)):
            # It is open as long as the service runs.
            self._file: BinaryIO = sys.stderr.buffer if place == "-" else open(place, "ab", _BUFFER_BYTES)  # noqa: PTH123, SIM115
        self._encode = msgspec.json.Encoder().encode
        self._flushing: asyncio.Task[None] | None = None

    def __call__(self, exchange: Exchange, answer: Answer) -> None:
        """Note a request that was answered."""
        line = {
            "time": round(time.time(), 3),
            "request_id": exchange.request_id.decode("latin-1"),
            "method": exchange.method,
            "path": shown(exchange.target.partition(b"?")[0].decode("latin-1")),
            "status": answer.status,
            "milliseconds": round((time.perf_counter_ns() - exchange.arrived_ns) / 1e6, 3),
            "received_bytes": len(exchange.body),
            "sent_bytes": len(answer.body),
        }
        self._file.write(self._encode(line) + b"\n")

    async def start(self) -> None:
        """Begin to hand lines over."""
        self._flushing = asyncio.create_task(self._flush())

    async def stop(self, grace_s: float) -> None:
        """Hand over what is left."""
        if self._flushing is not None:
            self._flushing.cancel()
        self._file.flush()

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_S)
            self._file.flush()
