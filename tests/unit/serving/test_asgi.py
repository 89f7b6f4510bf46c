"""An ASGI application on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.patience import PATIENCE_S

from glassworks.errors import InputError
from glassworks.serving.supervision import Supervisor
from glassworks.serving.transports.http import asgi, under_way
from glassworks.serving.transports.http.asgi import Mounted, Serving
from glassworks.serving.transports.http.exchange import Answer, Exchange

START = {"type": "http.response.start", "status": 200, "headers": [(b"Content-Type", b"text/plain"), (b"X-A", b"b")]}


class Asked:
    """An exchange whose answer is waited for."""

    def __init__(self, method: str = "GET", target: bytes = b"/api/v1/a%20b?c=d", body: bytes = b"") -> None:
        self.exchange = Exchange(method, target, {b"host": b"x"}, body)
        self.answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.exchange.reply = self.answered.set_result

    async def answer(self) -> Answer:
        return await asyncio.wait_for(self.answered, PATIENCE_S)


def mounted(application: Any) -> Mounted:
    return Mounted(lambda serving: application, Supervisor(), "toy")


def run(test: Callable[[], Any]) -> None:
    asyncio.run(asyncio.wait_for(test(), PATIENCE_S))


async def echo(scope: Any, receive: Any, send: Any) -> None:
    asked = await receive()
    text = f"{threading.current_thread().name} {scope['method']} {scope['path']} {scope['query_string'].decode()} "
    await send(START)
    await send({"type": "http.response.body", "body": text.encode() + asked["body"] + scope["state"]["who"]})


def test_a_request_is_answered_on_another_thread() -> None:
    async def test() -> None:
        toy = mounted(echo)
        asked = Asked("POST", body=b"body ")
        toy.answer(asked.exchange, {"who": b"me"})
        answer = await asked.answer()
        assert answer.body == b"toy POST /api/v1/a b c=d body me"
        assert (answer.status, answer.content_type, answer.headers) == (200, b"text/plain", [(b"x-a", b"b")])
        await toy.stop(PATIENCE_S)
        assert "toy" not in {thread.name for thread in threading.enumerate()}
        late = Asked()
        toy.answer(late.exchange, {})
        assert (await late.answer()).status == 503

    run(test)


def test_a_stream_is_made_no_faster_than_it_is_read() -> None:
    made: list[int] = []

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        while True:
            await send({"type": "http.response.body", "body": b"%d " % len(made), "more_body": True})
            made.append(1)

    async def test() -> None:
        toy = mounted(endless)
        asked = Asked()
        toy.answer(asked.exchange, {})
        stream = (await asked.answer()).stream
        assert stream is not None
        assert [await anext(stream) for _ in range(3)] == [b"0 ", b"1 ", b"2 "]
        await asyncio.sleep(0.1)
        assert len(made) <= 3 + 2 * asgi._AHEAD
        await stream.aclose()
        await toy.stop(PATIENCE_S)

    run(test)


def test_a_client_that_leaves_ends_the_work() -> None:
    begun, ended = threading.Event(), threading.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        begun.set()
        try:
            await asyncio.sleep(1000)
        finally:
            ended.set()

    async def test() -> None:
        toy = mounted(waits)
        asked = Asked()
        toy.answer(asked.exchange, {})
        await asyncio.to_thread(begun.wait, PATIENCE_S)
        asked.exchange.leave()
        await asyncio.to_thread(ended.wait, PATIENCE_S)
        assert ended.is_set()
        while toy.under_way.count:
            await asyncio.sleep(0.01)
        assert not asked.answered.done()
        await toy.stop(PATIENCE_S)

    run(test)


def test_failures_are_answered_and_end_nothing_else() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/api/v1/late":
            await send(START)
            await send({"type": "http.response.body", "body": b"some", "more_body": True})
        raise ValueError("secret")

    async def test() -> None:
        toy = mounted(broken)
        asked, late = Asked(), Asked(target=b"/api/v1/late")
        toy.answer(asked.exchange, {})
        answer = await asked.answer()
        assert (answer.status, answer.content_type) == (500, b"application/problem+json")
        assert b"secret" not in answer.body
        toy.answer(late.exchange, {})
        stream = (await late.answer()).stream
        assert stream is not None
        with pytest.raises(Exception, match="ended before its end"):
            [part async for part in stream]
        await toy.stop(PATIENCE_S)

    run(test)


def test_an_application_that_cannot_be_made_is_made_again() -> None:
    made: list[int] = []

    def make(serving: Serving) -> Any:
        made.append(1)
        if len(made) == 1:
            raise OSError("no")
        return echo

    async def test() -> None:
        toy = Mounted(make, Supervisor(), "toy")
        for status in (500, 200):
            asked = Asked()
            toy.answer(asked.exchange, {"who": b""})
            assert (await asked.answer()).status == status
        await toy.stop(PATIENCE_S)

    run(test)


def test_too_many_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_way, "MOST", 2)

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(1000)

    async def test() -> None:
        toy = mounted(waits)
        every = [Asked() for _ in range(3)]
        for asked in every:
            toy.answer(asked.exchange, {})
        assert (await every[2].answer()).status == 503
        assert toy.under_way.count == 2
        await toy.stop(PATIENCE_S)
        assert {(await asked.answer()).status for asked in every[:2]} == {503}

    run(test)


def test_the_loop_of_models_is_asked_from_there() -> None:
    async def asks(scope: Any, receive: Any, send: Any) -> None:
        async def later() -> str:
            return threading.current_thread().name

        found = [
            await asyncio.to_thread(serving[0].ask, work) for work in (lambda: threading.current_thread().name, later)
        ]
        await send(START)
        await send({"type": "http.response.body", "body": " ".join(map(str, found)).encode()})

    serving: list[Serving] = []

    def make(given: Serving) -> Any:
        serving.append(given)
        return asks

    async def test() -> None:
        toy = Mounted(make, Supervisor(), "toy")
        asked = Asked()
        toy.answer(asked.exchange, {})
        assert (await asked.answer()).body == b"MainThread MainThread"
        await toy.stop(PATIENCE_S)

    run(test)


def test_one_caller_leaves_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_way, "MOST_EACH", 2)

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await asyncio.sleep(PATIENCE_S)

    async def test() -> None:
        toy = mounted(endless)
        asked = [(Asked(), who) for who in ("greedy", "greedy", "greedy", "modest", "")]
        for each, who in asked:
            toy.answer(each.exchange, {}, None, who)
        assert [(await each.answer()).status for each, _ in asked] == [200, 200, 503, 200, 200]
        asked[0][0].exchange.leave()
        while toy.under_way.count == 4:
            await asyncio.sleep(0.01)
        again = Asked()
        toy.answer(again.exchange, {}, None, "greedy")
        assert (await again.answer()).status == 200
        await toy.stop(PATIENCE_S)

    run(test)


def test_a_body_that_is_refused_reaches_no_application() -> None:
    def refuse(body: bytes) -> None:
        assert body == b"body"
        raise InputError("no", "do not")

    async def test() -> None:
        toy = mounted(echo)
        asked = Asked("POST", body=b"body")
        toy.answer(asked.exchange, {}, refuse)
        assert (await asked.answer()).status == 400
        await toy.stop(PATIENCE_S)

    run(test)
