"""Asks the service itself, on the same way as requests that come over a socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from glassworks.serving.transports.http.exchange import Answer, Exchange

if TYPE_CHECKING:
    from glassworks.serving.core.dispatcher import Dispatcher

Ask = Callable[[Exchange], None]
LAST = b"9"
"""The priority behind all that people wait for."""
AT_ONCE = 8
"""Requests of one piece of work that are asked together: language models answer that many in little more time than one.
"""
_PATIENCE_S = 1.0
"""How long a request lets those pass for whom people wait; then it takes its turn."""
_LOOK_S = 0.01
_LONGEST_WAIT_S = 30.0


class Background:
    """What this process asks itself in the names of owners, while nobody waits for it. On the event loop."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.ask: Ask
        """Takes requests as the transports do; set before the first one."""
        self._dispatcher, self._asking = dispatcher, 0

    async def answered(self, owner: str, path: str, body: bytes, request_id: str) -> Answer:
        """The answer; what is refused for now, as by the key's rate or a full queue, is asked again."""
        while True:
            await self._let_pass()
            self._asking += 1
            try:
                answer = await asked(self.ask, path, body, self._dispatcher.admission.key_of(owner), request_id)
            finally:
                self._asking -= 1
            if (wait_s := retry_after_s(answer)) is None:
                return answer
            await asyncio.sleep(min(wait_s, _LONGEST_WAIT_S))

    def busy(self) -> bool:
        """Whether models compute for somebody else."""
        return sum(model.users for model in self._dispatcher.models.loaded()) > self._asking

    async def _let_pass(self) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + _PATIENCE_S
        while self.busy() and loop.time() < end:
            await asyncio.sleep(_LOOK_S)


async def asked(ask: Ask, path: str, body: bytes, key: bytes | None, request_id: str) -> Answer:
    """The answer to a request of a key at the last priority. Cancelled, it cancels the request."""
    headers: dict[bytes, bytes] = {b"host": b"localhost", b"content-type": b"application/json", b"x-priority": LAST}
    if key is not None:
        headers[b"authorization"] = b"Bearer " + key
    answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def reply(answer: Answer) -> None:
        if not answered.done():
            answered.set_result(answer)

    exchange = Exchange("POST", path.encode(), headers, body)
    exchange.request_id, exchange.reply = request_id.encode(), reply
    ask(exchange)
    try:
        answer = await answered
        if answer.stream is not None:
            async with contextlib.aclosing(answer.stream) as parts:
                answer.body = b"".join([part async for part in parts])
    except asyncio.CancelledError:
        exchange.leave()
        raise
    return answer


def retry_after_s(answer: Answer) -> float | None:
    """How long to wait before the same is asked again, where it was refused for now."""
    if answer.status not in (429, 503):
        return None
    named: Mapping[bytes, bytes] = dict(answer.headers)
    try:
        return max(0.1, float(named.get(b"retry-after", b"1")))
    except ValueError:
        return 1.0
