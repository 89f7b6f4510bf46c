"""Who may ask for what: dependencies of the endpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, cast

from fastapi import Depends, Request

from glassworks.control.state import Control
from glassworks.errors import Forbidden, GlassworksError
from glassworks.serving.access.gate import Caller
from glassworks.serving.access.keys import Role


def control(request: Request) -> Control:
    """What resources work with."""
    return cast(Control, request.app.state.control)


def caller(request: Request) -> Caller:
    """Who asks. Raises Unauthenticated, and Forbidden for a key that is for some models only."""
    found = request.state.caller
    if isinstance(found, GlassworksError):
        raise found
    return cast(Caller, found)


def lasting(control: Control, caller: Caller) -> Callable[[], None]:
    """Raises Unauthenticated, when it is called, where the key of a caller was revoked or has ended since; call it on
    a thread."""
    admission = control.serving.dispatcher.admission
    return lambda: control.live.ask(lambda: admission.permit(admission.key_of(caller.key_id), "viewer"))


def _require(found: Caller, role: Role) -> Caller:
    if role not in found.roles:
        raise Forbidden(
            f"the key '{found.name}' has not the role '{role}'",
            f"it may do what these do: {', '.join(sorted(found.roles))}; ask for a key with the role '{role}'",
        )
    return found


def _viewer(found: Annotated[Caller, Depends(caller)]) -> Caller:
    return _require(found, "viewer")


def _operator(found: Annotated[Caller, Depends(caller)]) -> Caller:
    return _require(found, "operator")


def _admin(found: Annotated[Caller, Depends(caller)]) -> Caller:
    return _require(found, "admin")


Controlled = Annotated[Control, Depends(control)]
Viewer = Annotated[Caller, Depends(_viewer)]
Operator = Annotated[Caller, Depends(_operator)]
Admin = Annotated[Caller, Depends(_admin)]
