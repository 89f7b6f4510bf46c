"""Many requests of several keys at once, some of which hang up, while the engine is killed now and then; and what each
key was given, counted by those who got it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from glassworks.errors import Overloaded
from glassworks.serving.core.answering import Parts
from glassworks.serving.core.dispatcher import Dispatcher
from glassworks.serving.requests import Call, InferRequest

Ask = Callable[[random.Random], InferRequest]
_AGAIN_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """`clients` at once send `requests` that `ask` makes, to `model`, with the secrets of keys by their ids.

    A share of `hung_up` leaves after some parts, or while it waits for one; the engine is killed `kills` times.
    """

    dispatcher: Dispatcher
    model: str
    keys: Mapping[str, bytes]
    ask: Ask
    requests: int
    hung_up: float = 0.3
    kills: int = 0
    clients: int = 48
    given: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By key and name of the count, as the ledger has them."""
    ends: Counter[str] = field(default_factory=Counter)
    """How requests ended."""

    async def run(self, seed: int = 0) -> None:
        """Return when all of them have ended."""
        numbers = iter(range(self.requests))
        every = self.requests // (self.kills + 1) + 1
        chances = [random.Random(f"{seed} {client}") for client in range(self.clients)]
        await asyncio.gather(*(self._client(numbers, every, chance) for chance in chances))

    async def _client(self, numbers: Any, every: int, chance: random.Random) -> None:
        for number in numbers:
            if self.kills and number and number % every == 0:
                self._kill()
            while not await self._request(chance):
                await asyncio.sleep(_AGAIN_S)

    def _kill(self) -> None:
        process = self.dispatcher.models.model(self.model).engines.computing.stats().process_id
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
                self.ends["kills"] += 1

    async def _request(self, chance: random.Random) -> bool:
        """False where nothing had begun, so that it is sent again."""
        key = chance.choice(list(self.keys))
        asked = self.ask(chance)
        leaves = chance.choice(["reads", "waits"]) if chance.random() < self.hung_up else ""
        try:
            parts = await self.dispatcher.stream(Call(self.model, token=self.keys[key]), lambda model: asked)
        except Overloaded:
            self.ends["refused"] += 1
            return False
        if leaves == "waits":
            await self._leave(parts, key, chance.random() * 0.02)
        else:
            await self._read(parts, key, chance.randrange(12) if leaves else None)
        return True

    async def _read(self, parts: Any, key: str, count: int | None) -> None:
        counted = _Counted(self.given, key)
        async with contextlib.aclosing(parts):
            try:
                for number in itertools.count():
                    if number == count:
                        self.ends["left"] += 1
                        return
                    counted.asks(number)
                    if (part := await anext(parts, None)) is None:
                        self.ends["whole"] += 1
                        return
                    counted.got(part)
            except Overloaded:
                self.ends["killed"] += 1

    async def _leave(self, parts: Any, key: str, after_s: float) -> None:
        reading = asyncio.ensure_future(self._read(parts, key, None))
        await asyncio.wait([reading], timeout=after_s)
        self.ends["left"] += not reading.done()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


class _Counted:
    """Counts what one answer gave."""

    def __init__(self, given: Counter[tuple[str, str]], key: str) -> None:
        self._given, self._key = given, key
        self._before = {"prompt_tokens": 0, "cached_tokens": 0, "completion_tokens": 0}
        self._prompt = 0

    def asks(self, number: int) -> None:
        """With the second part the work begins: from then on the prompt counts, and the request."""
        if number == 1:
            self._given[self._key, "requests"] += 1
            self._add("prompt_tokens", self._prompt)

    def got(self, part: Any) -> None:
        chunk = part.chunk
        if not self._prompt:
            self._prompt = chunk.prompt_tokens
            return
        for name in self._before:
            self._add(name, getattr(chunk, name))

    def _add(self, name: str, value: int) -> None:
        self._given[self._key, name] += value - self._before[name]
        self._before[name] = value


def alive() -> int:
    """How many answers are still kept in memory, after all that can be collected was."""
    import gc

    gc.collect()
    return sum(Parts in type(each).__mro__ for each in gc.get_objects())
