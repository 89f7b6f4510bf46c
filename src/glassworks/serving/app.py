"""The application: routes, who may use them, and every failure in the words of the protocol that was spoken."""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from glassworks.errors import Forbidden, GlassworksError, Overloaded
from glassworks.serving.access.masking import masked
from glassworks.serving.core.room import Room
from glassworks.serving.transports.http.exchange import Answer, Exchange, failure, refusal

if TYPE_CHECKING:
    from glassworks.serving.transports.http.service import Service

Admit = Callable[[Exchange], None]
Handler = Callable[[Exchange], Answer | Coroutine[Any, Any, Answer | None] | None]
"""Gives the answer, or a coroutine for it, or None when it replies by itself later."""
_PATHS, _KNOWN_PATH = 1024, 256
"""Paths that are known by heart, and the longest of them: clients could fill memory with others."""
_INFLATED_AT_ONCE = 2**20
"""Bytes: some 3 ms of the event loop; what is larger is inflated on a thread."""
_PACKED_BYTES = 64 * 2**20
"""Of compressed bodies that wait to be inflated, one after the other."""
_NOTHING: tuple[Mapping[str, Handler], Mapping[str, str]] = ({}, {})


@dataclass(slots=True)
class Route:
    """A path (a regular expression whose groups are its parameters) and its handlers by method."""

    path: str
    handlers: dict[str, Handler]
    upgrade: Callable[[Exchange, Service], asyncio.Protocol] | None = None
    """What goes on with a connection that becomes a WebSocket. Raises what forbids it."""


class Application:
    """Finds the route of a request, runs its handler and turns what is raised into an answer."""

    def __init__(
        self,
        routes: Sequence[Route],
        on_answer: Callable[[Exchange, Answer], None] | None = None,
        admit: Admit = lambda exchange: None,
    ) -> None:
        """`on_answer` is called with every answer: the access log. `admit` raises for what nobody may send, and may put
        the key of a session into the headers."""
        self._routes = [(re.compile(route.path), route.handlers) for route in routes]
        self._upgrades = [(re.compile(route.path), route.upgrade) for route in routes if route.upgrade is not None]
        self._found: dict[bytes, tuple[Mapping[str, Handler], Mapping[str, str]]] = {}
        self.on_answer, self.admit = on_answer, admit
        self._tasks: set[asyncio.Task[Answer | None]] = set()
        self._unpacking, self._packed = asyncio.Lock(), Room(_PACKED_BYTES)

    def __call__(self, exchange: Exchange) -> None:
        """Answer it, now or later."""
        if self.on_answer is not None:
            exchange.reply = _reporting(exchange, exchange.reply, self.on_answer)
        if exchange.late:
            exchange.reply(failure(_stopping(), exchange.target))
            return
        method = exchange.method
        try:
            self.admit(exchange)
        except Forbidden as error:
            exchange.reply(failure(error, exchange.target))
            return
        # Clients ask for the same few paths again and again.
        found = self._found.get(exchange.target)
        handlers, exchange.parameters = found if found is not None else self._find(exchange.target)
        handler = handlers.get("GET" if method == "HEAD" else method)
        if handler is None:
            exchange.reply(_no_route(exchange, handlers))
            return
        try:
            packed = b"content-encoding" in exchange.headers and not exchange.unpack(_INFLATED_AT_ONCE)
            answer = self._unpacked(exchange, handler) if packed else handler(exchange)
        except Exception as error:  # noqa: BLE001 - whatever happens, the client gets an answer
            exchange.reply(failure(error, exchange.target))
            return
        if isinstance(answer, Answer):
            exchange.reply(answer)
        elif answer is not None:
            self._begin(exchange, answer)

    async def _unpacked(self, exchange: Exchange, handler: Handler) -> Answer | None:
        """One large body at a time: each may take all that a body is allowed to."""
        size_bytes = len(exchange.body)
        if not self._packed.fits(None, size_bytes):
            raise Overloaded("too many compressed requests wait to be read", "try again later, or send less at once")
        self._packed.enter(None, size_bytes)
        try:
            async with self._unpacking:
                await asyncio.to_thread(exchange.unpack)
        finally:
            self._packed.leave(None, size_bytes)
        answer = handler(exchange)
        return answer if answer is None or isinstance(answer, Answer) else await answer

    def locate(self, exchange: Exchange) -> None:
        """Let a request have the parameters of its path."""
        _, exchange.parameters = self._find(exchange.target)

    def upgraded(self, exchange: Exchange, service: Service) -> asyncio.Protocol | None:
        """What goes on with a connection whose request asks for a WebSocket; None for a plain request, and for one that
        is not allowed: its handler says why."""
        if exchange.method != "GET" or exchange.headers.get(b"upgrade", b"").lower() != b"websocket":
            return None
        path = _path(exchange.target)
        for pattern, upgrade in self._upgrades:
            if pattern.fullmatch(path):
                try:
                    self.locate(exchange)
                    self.admit(exchange)
                    return upgrade(exchange, service)
                except GlassworksError:
                    return None
        return None

    def _begin(self, exchange: Exchange, work: Coroutine[Any, Any, Answer | None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        exchange.on_gone = task.cancel
        # The loop itself holds tasks only weakly.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(functools.partial(_finished, exchange))

    def _find(self, target: bytes) -> tuple[Mapping[str, Handler], Mapping[str, str]]:
        path = _path(target)
        for pattern, handlers in self._routes:
            match = pattern.fullmatch(path)
            if match:
                parameters = {name: unquote(text) for name, text in match.groupdict().items() if text is not None}
                if len(self._found) >= _PATHS:
                    self._found.clear()
                found = (handlers, parameters)
                if len(target) <= _KNOWN_PATH:
                    self._found[target] = found
                return found
        return _NOTHING


def _finished(exchange: Exchange, task: asyncio.Task[Answer | None]) -> None:
    if exchange.gone:
        return
    if task.cancelled():
        exchange.reply(failure(_stopping(), exchange.target))
        return
    error = task.exception()
    if isinstance(error, Exception):
        exchange.reply(failure(error, exchange.target))
    elif (answer := task.result()) is not None:
        exchange.reply(answer)


def _stopping() -> Overloaded:
    return Overloaded("the service is stopping", "ask another one, or try again later")


def _reporting(
    exchange: Exchange, reply: Callable[[Answer], None], report: Callable[[Exchange, Answer], None]
) -> Callable[[Answer], None]:
    def reported(answer: Answer) -> None:
        reply(answer)
        report(exchange, answer)

    return reported


def _path(target: bytes) -> str:
    """The path of a request's target, which may be a whole URL and have a query."""
    text = target.partition(b"?")[0].decode("latin-1")
    if not text.startswith("/") and "://" in text:
        text = "/" + text.partition("://")[2].partition("/")[2]
    return text


def _no_route(exchange: Exchange, handlers: Mapping[str, Handler]) -> Answer:
    if not handlers:
        shown = masked(_path(exchange.target))[:200]
        return refusal(f"there is no {shown!r}; the routes are listed at /docs", 404, exchange.target)
    allowed = ", ".join(handlers)
    answer = refusal(f"{exchange.method} is not allowed here; use {allowed}", 405, exchange.target)
    answer.headers.append((b"allow", allowed.encode()))
    return answer
