"""The ASGI application: routes, and every failure as `{"error": string}`."""

from __future__ import annotations

import functools
import logging
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glassworks.errors import GlassworksError, InputError, NotFound, Overloaded
from glassworks.serving.batching import RETRY_AFTER_S
from glassworks.serving.exchange import Answer, Disconnected, Exchange, Receive, Send, TooLarge, json_answer
from glassworks.serving.open_inference import OpenInference
from glassworks.serving.page import Pages

if TYPE_CHECKING:
    from glassworks.serving.engine import Engine

Endpoint = Callable[[Exchange], Awaitable[Answer]]
_MODEL = r"/v2/models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?"
_LONGEST = 1000
"""Characters of a problem; it may quote what was sent."""
_PATHS = 256
_log = logging.getLogger("glassworks.serving")


@dataclass(frozen=True, slots=True)
class Route:
    """A path (a regular expression whose groups are its parameters) and its endpoints by method."""

    path: str
    endpoints: Mapping[str, Endpoint]


def routes(engine: Engine) -> tuple[Route, ...]:
    """All routes over an engine; a further protocol adds its own."""
    protocol, pages = OpenInference(engine), Pages(engine)
    return (
        Route(_MODEL + "/infer", {"POST": protocol.infer}),
        Route(_MODEL + "/explain", {"POST": protocol.explain}),
        Route(_MODEL, {"GET": protocol.metadata}),
        Route(_MODEL + "/ready", {"GET": protocol.ready}),
        Route(r"/v2/?", {"GET": protocol.server}),
        Route(r"/v2/health/(?:live|ready)", {"GET": protocol.live}),
        Route(r"/(?:docs)?", {"GET": pages.page}),
        Route(r"/openapi\.json", {"GET": pages.openapi}),
    )


class Application:
    """Finds the route of a request, runs its endpoint and turns what is raised into an answer."""

    def __init__(self, engine: Engine, max_body_bytes: int) -> None:
        self._routes = [(re.compile(route.path), route.endpoints) for route in routes(engine)]
        # Clients ask for the same few paths again and again.
        self._endpoint = functools.lru_cache(_PATHS)(self._find)
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        endpoints, parameters = self._endpoint(scope["path"])
        endpoint = endpoints.get(scope["method"])
        if endpoint is None:
            answer = _no_route(scope, endpoints)
        else:
            try:
                answer = await endpoint(Exchange(scope, receive, parameters, self._max_body_bytes))
            except Disconnected:
                return
            except Exception as error:  # noqa: BLE001 - whatever happens, the client gets an answer
                answer = failure(error)
        await answer.send(send)

    def _find(self, path: str) -> tuple[Mapping[str, Endpoint], Mapping[str, str]]:
        for pattern, endpoints in self._routes:
            match = pattern.fullmatch(path)
            if match:
                return endpoints, {name: text for name, text in match.groupdict().items() if text is not None}
        return {}, {}


def failure(error: Exception) -> Answer:
    """The answer for an error: our own say what is wrong and how to mend it; others only get a number to look up."""
    if isinstance(error, GlassworksError):
        answer = json_answer({"error": f"{error.problem[:_LONGEST]}; {error.mend[:_LONGEST]}"}, _status(error))
        if isinstance(error, Overloaded):
            answer.headers.append((b"retry-after", b"%d" % RETRY_AFTER_S))
        return answer
    number = uuid.uuid4().hex[:12]
    _log.error("request failed (%s)", number, exc_info=error)
    return json_answer({"error": f"internal error {number}; the server's log tells more"}, 500)


def _status(error: GlassworksError) -> int:
    for kind, status in ((NotFound, 404), (TooLarge, 413), (InputError, 400), (Overloaded, 503)):
        if isinstance(error, kind):
            return status
    return 500


def _no_route(scope: Mapping[str, Any], endpoints: Mapping[str, Endpoint]) -> Answer:
    if not endpoints:
        return json_answer({"error": f"there is no {scope['path'][:200]!r}; the routes are listed at /docs"}, 404)
    allowed = ", ".join(endpoints)
    answer = json_answer({"error": f"{scope['method']} is not allowed here; use {allowed}"}, 405)
    answer.headers.append((b"allow", allowed.encode()))
    return answer


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
