"""The control API as a protocol of the service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glassworks.control.released import Released
from glassworks.data.uploads.receiving import PART_BYTES
from glassworks.errors import GlassworksError, InputError, ServingError
from glassworks.serving.endpoints import Context, Protocol, endpoint, modules_of, protocols_of
from glassworks.serving.failures import TooLarge, problematic
from glassworks.serving.transports.http.asgi import Asgi, Mounted, Serving
from glassworks.serving.transports.http.exchange import Exchange, token

_PATH = "/api/v1/{rest:path}"
_PART = "control API"
_BYTES, _PARTS = "PUT", "uploads/"
"""Requests whose bodies are no JSON."""
MOST_BYTES, MOST_VALUES = 2**20, 20_000
"""Of JSON: whoever reads it holds the interpreter meanwhile, on whichever thread, and requests of models wait."""


def further_protocols() -> Sequence[type[Protocol]]:
    """The control API, and the protocols over runs: each a module of `control.protocols`."""
    return (ControlApi, *protocols_of(modules_of("glassworks.control.protocols")))


class ControlApi(Protocol):
    """Everything under `/api/v1`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._mounted = Mounted(self._application, context.dispatcher.models.supervisor, _PART)
        context.companions.append(self._mounted)
        context.heads.append(_require_fitting)
        if context.registry is not None and context.repository is not None:
            context.companions.append(Released(context, context.registry))

    @endpoint("GET", _PATH, "controlGet", "The control API.", is_open=True, documented=False)
    @endpoint("POST", _PATH, "controlPost", "The control API.", is_open=True, documented=False)
    @endpoint("PUT", _PATH, "controlPut", "The control API.", is_open=True, documented=False)
    @endpoint("PATCH", _PATH, "controlPatch", "The control API.", is_open=True, documented=False)
    @endpoint("OPTIONS", _PATH, "controlOptions", "The control API.", is_open=True, documented=False)
    @endpoint("DELETE", _PATH, "controlDelete", "The control API.", is_open=True, documented=False)
    def control(self, exchange: Exchange) -> None:
        """What it answers is decided on a thread of its own; who asks is found out here."""
        state: dict[str, Any] = {}
        who = ""
        is_json = _is_json(exchange)
        exchange.max_body_bytes = MOST_BYTES if is_json else PART_BYTES
        if len(exchange.body) > exchange.max_body_bytes:
            raise _too_large(is_json)
        try:
            state["caller"] = caller = self._context.dispatcher.admission.caller(token(exchange))
            who = caller.key_id if self._context.sessions is not None else ""
        except GlassworksError as error:
            state["caller"] = error
        self._mounted.answer(exchange, state, _check_values if is_json else None, who)

    def _application(self, serving: Serving) -> Asgi:
        from glassworks.control.app import application
        from glassworks.control.state import Control

        if self._context.registry is None:
            raise ServingError("this service has no registry", "start it with 'glassworks serve'")
        return application(Control(self._context.registry, self._context, serving))


def _is_json(exchange: Exchange) -> bool:
    return exchange.method != _BYTES or not exchange.parameters["rest"].startswith(_PARTS)


def _require_fitting(exchange: Exchange) -> None:
    """Raise TooLarge for a body that would be refused once it has come."""
    if problematic(exchange.target):
        is_json = _is_json(exchange)
        if int(exchange.headers.get(b"content-length", b"0")) > (MOST_BYTES if is_json else PART_BYTES):
            raise _too_large(is_json)


def _check_values(body: bytes) -> None:
    """Raise InputError for JSON that takes long to read: values are counted by their signs before they are made."""
    values = body.count(b",") + body.count(b"[") + body.count(b"{")
    if values > MOST_VALUES:
        raise InputError(f"the body holds more than {MOST_VALUES:,} values", "send fewer; files are sent as uploads")


def _too_large(is_json: bool) -> TooLarge:
    if is_json:
        return TooLarge(f"the body has more than {MOST_BYTES:,} bytes", "send less; files are sent as uploads")
    return TooLarge(f"the part has more than {PART_BYTES:,} bytes", f"send parts of at most {PART_BYTES:,} bytes")
