"""Asks the service itself, on the same way as requests that come over a socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping

from glassworks.serving.transports.http.exchange import Answer, Exchange

Ask = Callable[[Exchange], None]
LAST = b"9"
"""The priority behind all that people wait for."""


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
