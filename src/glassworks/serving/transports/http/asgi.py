"""An ASGI application behind a route: it runs on a thread and an event loop of its own, away from requests of models.

Its modules are loaded when it is asked for the first time. A request is handed over whole, and its answer comes back
whole, or as a stream that is read no faster than its client reads it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar, overload

from glassworks.errors import Overloaded, ServingError
from glassworks.serving.supervision import Supervisor
from glassworks.serving.transports.http.exchange import Answer, Exchange, failure
from glassworks.serving.transports.http.under_way import UnderWay

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]
_R = TypeVar("_R")
_OURS = frozenset({b"content-length", b"content-type", b"date", b"server", b"connection", b"transfer-encoding"})
"""Headers that the connection writes by itself."""
_AHEAD = 16
"""Parts of a stream that are made ahead of their client."""
_THREADS = 8
"""What waits for files and the database at a time."""


class Mounted:
    """Answers requests with an application that `make` gives on its thread. Use it on the event loop's thread."""

    def __init__(self, make: Callable[[Serving], Asgi], supervisor: Supervisor, name: str) -> None:
        self._make, self._supervisor, self._name = make, supervisor, name
        self._running: concurrent.futures.Future[_Running] | None = None
        self._thread: threading.Thread | None = None
        self._stopped = False
        self.under_way = UnderWay(name)

    def answer(
        self,
        exchange: Exchange,
        state: Mapping[str, Any],
        check: Callable[[bytes], object] | None = None,
        who: str = "",
    ) -> None:
        """Let the application answer; `state` is in its scope. `check` looks at the body first, and may raise; `who`
        asks, where that is known."""
        try:
            if self._stopped:
                raise _stopping()
            self.under_way.enter(who)
        except Overloaded as error:
            exchange.reply(failure(error, exchange.target))
            return
        released = functools.partial(self.under_way.leave, who)
        task = asyncio.get_running_loop().create_task(self._answer(exchange, dict(state), check, released))
        exchange.on_gone = task.cancel
        task.add_done_callback(lambda task: None if not task.cancelled() and task.result() else released())

    async def start(self) -> None:
        """The thread begins with the first request."""

    async def stop(self, grace_s: float) -> None:
        """End all streams, and the thread."""
        self._stopped = True
        if self._running is not None:  # one that is beginning ends when it has begun
            self._running.add_done_callback(_end)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, grace_s)

    async def _answer(
        self,
        exchange: Exchange,
        state: dict[str, Any],
        check: Callable[[bytes], object] | None,
        released: Callable[[], None],
    ) -> bool:
        """Whether the application answers, which counts as under way until it has."""
        try:
            running = await asyncio.shield(asyncio.wrap_future(self._begun()))
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            self._running = None
            exchange.reply(failure(error, exchange.target))
            return False
        if self._stopped:
            exchange.reply(failure(_stopping(), exchange.target))
            return False
        call = _Call(exchange, running.loop, self._supervisor, self._name)
        call.begin(running.application, state, check, released)
        return True

    def _begun(self) -> concurrent.futures.Future[_Running]:
        if self._running is None:
            self._running = concurrent.futures.Future()
            arguments = (self._running, Serving(asyncio.get_running_loop()))
            self._thread = threading.Thread(target=self._run, args=arguments, name=self._name, daemon=True)
            self._thread.start()
        return self._running

    def _run(self, begun: concurrent.futures.Future[_Running], serving: Serving) -> None:
        try:
            asyncio.run(self._serve(begun, serving))
        except BaseException as error:  # noqa: BLE001 - who waits for the beginning learns of it
            if not begun.done():
                begun.set_exception(error)

    async def _serve(self, begun: concurrent.futures.Future[_Running], serving: Serving) -> None:
        import anyio.to_thread

        anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        ended = asyncio.Event()
        running = _Running(self._make(serving), asyncio.get_running_loop(), ended)
        begun.set_result(running)
        await ended.wait()


class Serving:
    """The event loop that answers requests of models, for an application on another one."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    @overload
    def ask(self, work: Callable[[], Coroutine[Any, Any, _R]]) -> _R: ...

    @overload
    def ask(self, work: Callable[[], _R]) -> _R: ...

    def ask(self, work: Callable[[], Any]) -> Any:
        """What a function gives that runs there; call it from a thread that may wait. Raises what that raises."""

        async def run() -> Any:
            found = work()
            return await found if asyncio.iscoroutine(found) else found

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()


class _Running:
    def __init__(self, application: Asgi, loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
        self.application, self.loop, self._ended = application, loop, ended

    def end(self) -> None:
        with contextlib.suppress(RuntimeError):  # it has ended
            self.loop.call_soon_threadsafe(self._ended.set)


def _stopping() -> Overloaded:
    return Overloaded("the service is stopping", "try again later")


def _end(begun: concurrent.futures.Future[_Running]) -> None:
    if begun.exception() is None:
        begun.result().end()


class _Call:
    """One request. Methods whose names begin with `_on` run on the application's loop, all others on the service's."""

    def __init__(self, exchange: Exchange, loop: asyncio.AbstractEventLoop, supervisor: Supervisor, name: str) -> None:
        self._exchange, self._theirs, self._ours = exchange, loop, asyncio.get_running_loop()
        self._supervisor, self._name = supervisor, name
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue(_AHEAD)
        self._head: Mapping[str, Any] = {}
        self._task: concurrent.futures.Future[None] | None = None
        self._asked = self._replied = self._broken = False

    def begin(
        self,
        application: Asgi,
        state: dict[str, Any],
        check: Callable[[bytes], object] | None,
        ended: Callable[[], None],
    ) -> None:
        self._exchange.on_gone = self._cancel
        work = self._on_run(application, _scope(self._exchange, state), check)
        self._task = asyncio.run_coroutine_threadsafe(work, self._theirs)
        self._task.add_done_callback(lambda _: self._ours.call_soon_threadsafe(ended))

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _on_run(self, application: Asgi, scope: Scope, check: Callable[[bytes], object] | None) -> None:
        body = b""

        async def receive() -> dict[str, Any]:
            if self._asked:  # nothing more comes; a client that leaves ends this task
                await asyncio.get_running_loop().create_future()
            self._asked = True
            return {"type": "http.request", "body": body, "more_body": False}

        try:
            body = bytes(self._exchange.content())  # here, as what is compressed takes its time
            if check is not None:
                check(body)
            await application(scope, receive, self._on_send)
        except Exception as error:  # noqa: BLE001 - whatever happens, the client gets an answer or its end
            self._ours.call_soon_threadsafe(self._failed, error)
        except asyncio.CancelledError:
            self._ours.call_soon_threadsafe(self._failed, _stopping())
            raise

    async def _on_send(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._head = message
            return
        part, more = bytes(message.get("body", b"")), message.get("more_body", False)
        if not self._replied and not more:
            self._replied = True
            self._ours.call_soon_threadsafe(self._reply, part, False)
            return
        if not self._replied:
            self._replied = True
            self._ours.call_soon_threadsafe(self._reply, b"", True)
        if part:
            await self._on_put(part)
        if not more:
            await self._on_put(None)

    async def _on_put(self, part: bytes | None) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._parts.put(part), self._ours))

    def _reply(self, body: bytes, streamed: bool) -> None:
        if self._exchange.gone:
            return
        headers = [(bytes(name).lower(), bytes(value)) for name, value in self._head.get("headers", ())]
        kind = next((value for name, value in headers if name == b"content-type"), b"application/octet-stream")
        further = [(name, value) for name, value in headers if name not in _OURS]
        if streamed and self._exchange.method == "HEAD":
            streamed = False
            self._cancel()
        stream = self._stream() if streamed else None
        self._exchange.reply(Answer(body, self._head["status"], kind, further, stream, filler=_filler(kind)))

    async def _stream(self) -> AsyncGenerator[bytes, None]:
        try:
            while (part := await self._parts.get()) is not None:
                yield part
            if self._broken:
                raise ServingError("the answer ended before its end", "ask again")
        finally:
            self._cancel()

    def _failed(self, error: Exception) -> None:
        if not self._replied:
            self._replied = True
            if not self._exchange.gone:
                self._exchange.reply(failure(error, self._exchange.target))
            return
        if not isinstance(error, ServingError):
            self._supervisor.failed(self._name, error)
            self._broken = True
        while self._parts.full():
            self._parts.get_nowait()
        self._parts.put_nowait(None)


def _filler(kind: bytes) -> bytes:
    """A comment, which clients of a stream of events read over."""
    return b":\n\n" if kind.startswith(b"text/event-stream") else b""


def _scope(exchange: Exchange, state: dict[str, Any]) -> Scope:
    path, _, query = exchange.target.partition(b"?")
    if not path.startswith(b"/") and b"://" in path:
        path = b"/" + path.partition(b"://")[2].partition(b"/")[2]
    from urllib.parse import unquote

    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET" if exchange.method == "HEAD" else exchange.method,
        "scheme": "http",
        "path": unquote(path.decode("latin-1")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": list(exchange.headers.items()),
        "state": state,
    }
