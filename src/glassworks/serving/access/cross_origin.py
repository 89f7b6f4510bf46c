"""Pages of other sites that may ask this service and read its answers: CORS, as browsers ask for it (Fetch, 3.2).

Only who names them lets them in. No credentials are shared with them: a browser sends neither cookies nor what it keeps
of passwords, and a page that has an access key sends it itself, in `Authorization` or `X-API-Key`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable

from glassworks.serving.transports.http.exchange import Answer, Exchange

ANY = "*"
_EXPOSED = b"inference-header-content-length, x-answer, x-request-id, retry-after, www-authenticate, etag, location"
"""What a page may read beside the headers that every page may."""
_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
_REMEMBERED_S = 600
_PORTS = {"http": ":80", "https": ":443"}


def origin_of(text: str) -> str:
    """An origin as browsers write it: in lower case, without the port that its scheme has anyway."""
    origin = text.lower().rstrip("/")
    return origin.removesuffix(_PORTS.get(origin.partition("://")[0], ":"))


class CrossOrigin:
    """Stands before an application; what comes from no page passes it."""

    def __init__(self, application: Callable[[Exchange], None], allowed: Iterable[str]) -> None:
        """`allowed` are origins such as `https://app.example.com`, or `*` for all pages."""
        self._application = application
        self._allowed = frozenset(map(origin_of, allowed))

    def __call__(self, exchange: Exchange) -> None:
        """Answer a preflight, and let the answer to everything else say who may read it."""
        shared = self._shared(exchange)
        if shared and exchange.method == "OPTIONS" and b"access-control-request-method" in exchange.headers:
            exchange.reply(Answer(b"", headers=[*shared, *_preflight(exchange)]))
            return
        if shared:
            exchange.reply = functools.partial(_reply, exchange.reply, shared)
        self._application(exchange)

    def refused(self, refuse: Callable[[Exchange], Answer | None], exchange: Exchange) -> Answer | None:
        """The same for what is refused by its head."""
        answer = refuse(exchange)
        if answer is not None:
            answer.headers += self._shared(exchange)
        return answer

    def _shared(self, exchange: Exchange) -> list[tuple[bytes, bytes]]:
        """Headers that let the page read an answer; none for one that may not."""
        origin = exchange.headers.get(b"origin")
        if origin is None:
            return []
        vary = [] if ANY in self._allowed else [(b"vary", b"origin")]
        if vary and origin.decode("latin-1").lower() not in self._allowed:
            return []
        named = origin if vary else ANY.encode()
        return [(b"access-control-allow-origin", named), (b"access-control-expose-headers", _EXPOSED), *vary]


def _reply(reply: Callable[[Answer], None], headers: list[tuple[bytes, bytes]], answer: Answer) -> None:
    answer.headers += headers
    reply(answer)


def _preflight(exchange: Exchange) -> list[tuple[bytes, bytes]]:
    headers = [(b"access-control-allow-methods", _METHODS), (b"access-control-max-age", b"%d" % _REMEMBERED_S)]
    wanted = exchange.headers.get(b"access-control-request-headers")
    if wanted:
        headers.append((b"access-control-allow-headers", wanted))
    if exchange.headers.get(b"access-control-request-private-network") == b"true":
        headers.append((b"access-control-allow-private-network", b"true"))
    return headers
