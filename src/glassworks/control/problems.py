"""Errors as problem details (RFC 9457), each with its mend."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from glassworks.errors import GlassworksError, Overloaded, Unauthenticated
from glassworks.serving.failures import problem

_TYPE = "application/problem+json"


class KeyProblem(BaseModel):
    """What is wrong with one key of a request."""

    key: str
    problem: str
    mend: str = ""


class Problem(BaseModel):
    """What is wrong, and its mend."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    mend: str = ""
    errors: list[KeyProblem] = []


def install(application: FastAPI) -> None:
    """Answer every error as problem details."""
    application.add_exception_handler(GlassworksError, _ours)
    application.add_exception_handler(RequestValidationError, _invalid)
    application.add_exception_handler(HTTPException, _refused)
    application.add_exception_handler(Exception, _unknown)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    headers = {}
    if isinstance(error, Overloaded):
        headers["retry-after"] = str(error.retry_after_s)
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    return _answer(problem(error), headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    faults: Sequence[Any] = error.errors() if isinstance(error, RequestValidationError) else ()
    if (whole := _unreadable(request, faults)) is not None:
        return _answer(whole.model_dump())
    errors = [_key(fault) for fault in faults]
    first = errors[0] if errors else KeyProblem(key="", problem="it cannot be read")
    what = f"'{first.key}': {first.problem}" if first.key else first.problem
    found = Problem(
        title=HTTPStatus(400).phrase,
        status=400,
        detail=what,
        mend="correct the request and send it again",
        errors=errors,
    )
    return _answer(found.model_dump())


async def _refused(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    mend = "the paths are listed at /api/v1/openapi.json"
    headers = {"allow": ", ".join(_methods(request))} if status == HTTPStatus.METHOD_NOT_ALLOWED else {}
    title = HTTPStatus(status).phrase
    detail = f"{title}: {request.method} {request.url.path[:200]}"
    return _answer({"type": "about:blank", "title": title, "status": status, "detail": detail, "mend": mend}, headers)


def _methods(request: Request) -> list[str]:
    """What may be asked at a path: each route has one method of it."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    return sorted(
        {method for route in routes if route.matches(request.scope)[0] != Match.NONE for method in route.methods or ()}
    )


async def _unknown(request: Request, error: Exception) -> JSONResponse:
    return _answer(problem(error))


def _answer(found: dict[str, Any], headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(found, found["status"], headers, media_type=_TYPE)


def _unreadable(request: Request, faults: Sequence[Any]) -> Problem | None:
    """What is wrong with a body as a whole; None where it was read."""
    first: Any = faults[0] if faults else {"type": "", "loc": ()}
    title, status = HTTPStatus(400).phrase, 400
    if first["type"] == "json_invalid":
        why = f"{first.get('ctx', {}).get('error', 'it cannot be read')}, at character {first['loc'][-1]}"
        return Problem(
            title=title, status=status, detail=f"the body is not valid JSON: {why}", mend="send a JSON object"
        )
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if tuple(first["loc"]) == ("body",) and first["type"] != "missing" and not kind.endswith("json"):
        detail = f"the body is sent as {kind!r}, not as JSON" if kind else "the body is not said to be JSON"
        return Problem(title=title, status=status, detail=detail, mend="send the header content-type: application/json")
    return None


def _key(fault: Any) -> KeyProblem:
    path = [str(part) for part in fault["loc"]]
    return KeyProblem(key=".".join(path[1:]), problem=str(fault["msg"])[:500], mend=f"it is part of the {path[0]}")
