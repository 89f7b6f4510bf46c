"""Streams of chunks between engines, which block, and the event loop."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glassworks.contracts import Chunk, Tensors
    from glassworks.serving.core.engines.client import EngineClient

MAX_STREAMS = 64
"""Of one model that are answered at a time, where it does not say itself how many it can."""
MAX_THREADS = 1024
"""For streams of one model: each has one while its next chunk is computed. They are made when they are needed."""


class Streaming:
    """The streams of one model."""

    def __init__(self, engine: EngineClient, name: str = "stream") -> None:
        self._engine, self._numbers = engine, itertools.count(1)
        self._threads = ThreadPoolExecutor(MAX_THREADS, name)

    def open(
        self, tensors: Tensors, parameters: Mapping[str, Any], closed: Callable[[], None] = lambda: None
    ) -> Stream:
        """A stream, of which nothing is computed yet; `closed` is called once, at its end."""
        return Stream(self._engine, self._threads, next(self._numbers), tensors, parameters, closed)

    def close(self) -> None:
        """End the threads; chunks that are computed now are finished."""
        self._threads.shutdown()


class Stream:
    """One answer in chunks, each computed when it is asked for. Close it, whatever happens."""

    def __init__(
        self,
        engine: EngineClient,
        threads: ThreadPoolExecutor,
        number: int,
        tensors: Tensors,
        parameters: Mapping[str, Any],
        closed: Callable[[], None],
    ) -> None:
        self._engine, self._threads, self._number, self._closed = engine, threads, number, closed
        self._chunks = engine.stream(number, tensors, parameters)
        self._computing: Future[Chunk | None] = Future()
        self._computing.set_result(None)
        self._ended = False

    async def next(self) -> Chunk | None:
        """The next chunk, None at the end. Raises what the engine raises."""
        if self._ended:
            return None
        self._computing = self._threads.submit(next, self._chunks, None)
        return await asyncio.wrap_future(self._computing)

    def close(self) -> None:
        """Cancel what is left of it."""
        if self._ended:
            return
        self._ended = True
        self._engine.cancel(self._number)
        # A generator can be closed when it does not run; what it still computes must end first.
        self._computing.add_done_callback(lambda _: self._end(self._chunks))
        self._closed()

    def _end(self, chunks: Generator[Chunk, None, None]) -> None:
        try:
            self._threads.submit(chunks.close)
        except RuntimeError:  # the threads have ended
            chunks.close()
