"""The control API as a protocol of the service."""

from __future__ import annotations

from typing import Any

from glassworks.errors import GlassworksError, ServingError
from glassworks.serving.endpoints import Context, Protocol, endpoint
from glassworks.serving.transports.http.asgi import Asgi, Mounted, Serving
from glassworks.serving.transports.http.exchange import Exchange, token

_PATH = "/api/v1/{rest:path}"
_PART = "control API"


class ControlApi(Protocol):
    """Everything under `/api/v1`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._mounted = Mounted(self._application, context.dispatcher.models.supervisor, _PART)
        context.companions.append(self._mounted)

    @endpoint("GET", _PATH, "controlGet", "The control API.", is_open=True, documented=False)
    @endpoint("POST", _PATH, "controlPost", "The control API.", is_open=True, documented=False)
    @endpoint("PUT", _PATH, "controlPut", "The control API.", is_open=True, documented=False)
    @endpoint("PATCH", _PATH, "controlPatch", "The control API.", is_open=True, documented=False)
    @endpoint("OPTIONS", _PATH, "controlOptions", "The control API.", is_open=True, documented=False)
    @endpoint("DELETE", _PATH, "controlDelete", "The control API.", is_open=True, documented=False)
    def control(self, exchange: Exchange) -> None:
        """What it answers is decided on a thread of its own; who asks is found out here."""
        state: dict[str, Any] = {}
        try:
            state["caller"] = self._context.dispatcher.admission.caller(token(exchange))
        except GlassworksError as error:
            state["caller"] = error
        self._mounted.answer(exchange, state)

    def _application(self, serving: Serving) -> Asgi:
        from glassworks.control.app import application
        from glassworks.control.state import Control

        if self._context.registry is None:
            raise ServingError("this service has no registry", "start it with 'glassworks serve'")
        return application(Control(self._context.registry, self._context, serving))
