"""Streams of chunks between engines, which block, and the event loop."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from glassworks.errors import Overloaded
from glassworks.serving.core.room import Room

if TYPE_CHECKING:
    from glassworks.contracts import Chunk, Tensors
    from glassworks.serving.core.engines.client import EngineClient

MAX_STREAMS = 64
"""Of one model that are answered at a time, where it does not say itself how many it can."""
MAX_THREADS = 1024
"""For streams of one model: each has one while its next chunk is computed. They are made when they are needed."""


class Streaming:
    """The streams of one model. Each has a thread while its next chunk is computed, which begins when it is read."""

    def __init__(self, engine: EngineClient, name: str = "stream", limit: int = MAX_STREAMS) -> None:
        self._engine, self._numbers, self._room = engine, itertools.count(1), Room(limit)
        self._threads = ThreadPoolExecutor(limit, name)

    async def chunks(
        self, tensors: Tensors, parameters: Mapping[str, Any], caller: str | None = None
    ) -> AsyncGenerator[Chunk, None]:
        """The chunks of a stream, which is cancelled when the generator is closed. Raises Overloaded.

        `caller` is whom the room for streams is shared fairly with: see `Room`.
        """
        room, number = self._room, next(self._numbers)
        if not room.fits(caller, 1):
            raise Overloaded(f"{room.taken} streams of this model are open, no more may be", "try again later")
        room.enter(caller, 1)
        chunks = self._engine.stream(number, tensors, parameters)
        computing: Future[Chunk | None] = Future()
        try:
            while True:
                computing = self._threads.submit(next, chunks, None)
                if (chunk := await asyncio.wrap_future(computing)) is None:
                    break
                yield chunk
        finally:
            room.leave(caller, 1)
            self._engine.cancel(number)
            # A generator can be closed when it does not run; what it still computes must end first.
            computing.add_done_callback(lambda _: self._end(chunks))

    def _end(self, chunks: Generator[Chunk, None, None]) -> None:
        try:
            self._threads.submit(chunks.close)
        except RuntimeError:  # the threads have ended
            chunks.close()

    def close(self) -> None:
        """End the threads; chunks that are computed now are finished."""
        self._threads.shutdown()
