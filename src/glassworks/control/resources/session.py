"""Who asks: signing in with a key, once, and out again."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from glassworks.control.access import Controlled, caller
from glassworks.serving.access.gate import Caller
from glassworks.serving.access.sessions import COOKIE, LASTS_S

router = APIRouter(tags=["session"])


class Key(BaseModel):
    """An access key, as `glassworks keys create` showed it."""

    key: str = Field(min_length=1, max_length=200, repr=False)


class Session(BaseModel):
    """Who asks and what they may do. `open`: no keys are needed here, so everybody who reaches the service may do
    everything; `expires_at` is in seconds since 1970."""

    open: bool
    name: str
    roles: list[str]
    version: str
    expires_at: float | None = None


@router.get("/session")
def get_session(control: Controlled, found: Annotated[Caller, Depends(caller)]) -> Session:
    """Who asks."""
    return _session(control, found, found.expires_s)


@router.post("/session", responses={401: {"description": "The key is not valid."}})
def sign_in(control: Controlled, given: Key, request: Request, response: Response) -> Session:
    """Exchange a key for a cookie that only this service's own pages can use."""
    sessions = control.serving.sessions
    if sessions is None:
        return _session(control, caller(request), None)
    admission = control.serving.dispatcher.admission
    token = given.key.strip().encode()
    found = control.live.ask(lambda: admission.caller(token))
    value, end = sessions.begin(found.key_id)
    secure = bool(control.serving.config.tls_certificate)
    response.set_cookie(COOKIE, value, max_age=LASTS_S, httponly=True, secure=secure, samesite="strict", path="/")
    return _session(control, found, min(end, found.expires_s or end))


@router.delete("/session", status_code=204)
def sign_out(control: Controlled) -> Response:
    """Forget the cookie."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return response


def _session(control: Controlled, found: Caller, end: float | None) -> Session:
    guarded = control.serving.sessions is not None
    return Session(
        open=not guarded, name=found.name, roles=sorted(found.roles), version=version("glassworks"), expires_at=end
    )
