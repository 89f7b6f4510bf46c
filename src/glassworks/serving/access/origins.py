"""Which browsers may ask a service that no key protects: its own page, under a name that is its own.

A browser lets every page send requests to every address that it can reach, this machine's loopback included, and asks
nobody. Two headers, which a page cannot change, tell whose page it is: `Origin` (RFC 6454) and `Sec-Fetch-Site`. And
whoever owns a name can let it point to this machine (DNS rebinding): then a foreign page is of the same origin, so the
name in `Host` must be known here. Nobody can let a number point elsewhere, nor a name without a dot: the public domain
name system holds none, only the machine's own network knows such names, as those of containers.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Mapping

from glassworks.errors import Forbidden
from glassworks.serving.access.cross_origin import ANY, origin_of

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_KNOWN = 256
_OWN_PAGE = frozenset({b"", b"same-origin", b"none"})


class Origins:
    """Looks at each request once. What comes from no browser costs a hundred nanoseconds."""

    def __init__(self, bound: str, allowed: Iterable[str] = (), pages: Iterable[str] = ()) -> None:
        """`bound` is the address that is listened on; `allowed` are further names, with or without a port; `pages` are
        origins whose pages may ask, `*` for all."""
        self._pages = frozenset(map(origin_of, pages))
        self._allowed = frozenset(each.lower() for each in allowed)
        self._names = {bound.lower(), socket.gethostname().lower(), "localhost.localdomain", *self._allowed}
        self._known: set[bytes] = set()

    def check(self, method: str, headers: Mapping[bytes, bytes]) -> None:
        """Raise Forbidden for a foreign name, and for what a page of another origin may not ask: all but to read."""
        host = headers.get(b"host", b"")
        if host not in self._known:
            self._check_host(host)
        if b"origin" in headers or b"sec-fetch-site" in headers:
            self._check_page(method, headers, host)

    def _check_host(self, host: bytes) -> None:
        text = host.decode("latin-1").lower()
        if not self._is_own(text):
            raise Forbidden(
                f"this service is not known as '{text[:100]}'",
                "ask it by the address that it listens on; behind a proxy, name the host with --allowed-host; or let "
                "callers need keys: --keys on",
            )
        if len(self._known) < _KNOWN:
            self._known.add(host)

    def _is_own(self, host: str) -> bool:
        name = _name(host)
        known = name in self._names or host in self._allowed or "." not in name or name.endswith(".localhost")
        return known or _is_address(name)

    def _check_page(self, method: str, headers: Mapping[bytes, bytes], host: bytes) -> None:
        if method in _SAFE and b"sec-websocket-key" not in headers:
            return
        origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site", b"")
        if origin is not None:
            text = origin.decode("latin-1").lower()
            if text in self._pages or ANY in self._pages:
                return
            asking = text.partition("://")[2]
            if asking in self._allowed or _name(asking) in self._allowed:
                return
            if not asking or asking != host.decode("latin-1").lower():
                raise _foreign(text)
        if site.lower() not in _OWN_PAGE:
            raise _foreign(site.decode("latin-1"))


def _foreign(origin: str) -> Forbidden:
    return Forbidden(
        f"a page of another site ({origin[:100]}) may not ask this service, which no key protects",
        "ask from its own page or from a program; or allow that page with --allow-origin https://NAME, or its host "
        "with --allowed-host; or let callers need keys: --keys on",
    )


def _name(host: str) -> str:
    """Without its port, its brackets and the last dot."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True
