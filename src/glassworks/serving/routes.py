"""The routes of a service, from the table of endpoints, and who may not even send a large request to them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from glassworks.errors import GlassworksError
from glassworks.serving.app import Application, Handler, Route
from glassworks.serving.endpoints import Context, Endpoint, declared, protocols
from glassworks.serving.transports.http.exchange import Answer, Exchange, failure, token

if TYPE_CHECKING:
    from glassworks.serving.core.admission import Admission

_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")


def routes(context: Context) -> Sequence[Route]:
    """What the service answers; a path that is named plainly comes before one with a parameter in its stead. A path of
    the `further` protocols comes before the same one of the others."""
    found: dict[str, Route] = {}
    for protocol in (*protocols(), *context.further):
        instance = protocol(context)
        for endpoint, name in declared(protocol):
            route = found.setdefault(endpoint.path, Route(pattern(endpoint.path), {}))
            route.handlers[endpoint.method] = _guarded(endpoint, getattr(instance, name), context.dispatcher.admission)
            if endpoint.upgrade is not None:
                route.upgrade = functools.partial(endpoint.upgrade, instance)
    return [found[path] for path in sorted(found, key=_specific)]


def pattern(path: str) -> str:
    """The regular expression of a path, whose groups are its parameters."""
    found, end = "", 0
    for match in _PARAMETER.finditer(path):
        found += re.escape(path[end : match.start()]) + f"(?P<{match[1]}>{'.*' if match[2] else '[^/:]+'})"
        end = match.end()
    return found + re.escape(path[end:])


def doorkeeper(
    admission: Admission, application: Application, heads: Sequence[Callable[[Exchange], object]] = ()
) -> Callable[[Exchange], Answer | None]:
    """Refuses by the head alone what would be refused anyway, so that no large body is read of whoever may not ask."""

    def refused(exchange: Exchange) -> Answer | None:
        try:
            application.admit(exchange)
            application.locate(exchange)
            admission.permit(token(exchange), None, _model(exchange))
            for look in heads:
                look(exchange)
        except GlassworksError as error:
            return failure(error, exchange.target)
        return None

    return refused


def _specific(path: str) -> tuple[Any, ...]:
    return [part.startswith("{") for part in path.split("/")], path


def _guarded(endpoint: Endpoint, handler: Handler, admission: Admission) -> Handler:
    """The handler, behind a look at the key unless the endpoint is open or the dispatcher does that."""
    if endpoint.is_open or endpoint.dispatched:
        return handler

    def guarded(exchange: Exchange) -> Any:
        admission.permit(token(exchange), endpoint.role, _model(exchange))
        return handler(exchange)

    return guarded


def _model(exchange: Exchange) -> str | None:
    """The model that a path names; a load may name a version behind it."""
    return exchange.parameters.get("model", "").partition("@")[0] or None
