"""How an error is answered, over whatever transport: one table of status codes, and one text.

Over HTTP it is `{"error": string}`, but for the paths of OpenAI's protocol, whose clients read an object, and those of
the control API, which have problem details.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, NamedTuple

from glassworks.errors import (
    Changed,
    Conflict,
    DeadlineExceeded,
    Forbidden,
    GlassworksError,
    InputError,
    LimitExceeded,
    NotFound,
    Overloaded,
    QuotaSpent,
    ServingError,
    StorageError,
    Unauthenticated,
    Unconditional,
)
from glassworks.serving.access.masking import masked

_LONGEST = 1000
"""Characters of a problem, which may quote what was sent."""
_log = logging.getLogger("glassworks.serving")


class TooLarge(InputError):
    """A body over the limit."""


class WrongParameter(InputError):
    """A field of a request: clients of OpenAI's protocol read its name (`param`) and a `code` to act upon."""

    def __init__(self, problem: str, mend: str, param: str | None, code: str = "invalid_value") -> None:
        super().__init__(problem, mend)
        self.param, self.code = param, code


class NoModel(NotFound):
    """A model that a request names in its body."""

    param, code = "model", "model_not_found"


class Status(NamedTuple):
    """The codes of one class of errors."""

    http: int
    grpc: int


STATUSES: Mapping[type[Exception], Status] = MappingProxyType(
    {
        Exception: Status(500, 13),
        GlassworksError: Status(500, 13),
        InputError: Status(400, 3),
        NotFound: Status(404, 5),
        Conflict: Status(409, 9),
        Changed: Status(412, 10),
        Unconditional: Status(428, 9),
        TooLarge: Status(413, 8),
        StorageError: Status(507, 13),
        Unauthenticated: Status(401, 16),
        Forbidden: Status(403, 7),
        Overloaded: Status(503, 14),
        LimitExceeded: Status(429, 8),
        DeadlineExceeded: Status(504, 4),
    }
)
"""By class; one that is not here has the codes of its parent."""


class Kind(NamedTuple):
    """What OpenAI's protocol calls one class of errors."""

    type: str
    code: str | None = None


KINDS: Mapping[type[Exception], Kind] = MappingProxyType(
    {
        Exception: Kind("server_error"),
        InputError: Kind("invalid_request_error"),
        NotFound: Kind("invalid_request_error", "not_found"),
        TooLarge: Kind("invalid_request_error", "request_too_large"),
        Unauthenticated: Kind("authentication_error", "invalid_api_key"),
        Forbidden: Kind("permission_error", "permission_denied"),
        ServingError: Kind("server_error"),
        Overloaded: Kind("server_error", "server_overloaded"),
        LimitExceeded: Kind("rate_limit_error", "rate_limit_exceeded"),
        QuotaSpent: Kind("insufficient_quota", "insufficient_quota"),
        DeadlineExceeded: Kind("server_error", "timeout"),
    }
)
_OF_STATUS = MappingProxyType({404: "unknown_url", 405: "method_not_allowed", 413: "request_too_large"})
_LONG_S = 60
"""Seconds: who has to wait longer is not to send the same again by itself."""
_ENVELOPED = re.compile(rb"/(?:v1(?:/.*)?|tokenize|detokenize|tokenizer_info)")
_PLAIN = re.compile(rb"/v1/models/[^/:]+:(?:predict|explain)")
"""KServe's own, under the same beginning."""
_CODE = re.compile(r"(context_length_exceeded): ")
"""What an engine's problem begins with where clients know a code for it."""


def status(error: Exception) -> Status:
    """The codes that an error is answered with."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def text_of(error: Exception) -> str:
    """What a client sees of an error: of ours what is wrong and how to mend it, with access keys masked; of others,
    which are logged, only a number to look up."""
    if isinstance(error, GlassworksError):
        return masked(f"{error.problem[:_LONGEST]}; {error.mend[:_LONGEST]}")
    number = uuid.uuid4().hex[:12]
    _log.error("request failed (%s)", number, exc_info=error)
    return f"internal error {number}; the server's log tells more"


def enveloped(target: bytes) -> bool:
    """Whether errors at this target of a request are OpenAI's."""
    path = target.partition(b"?")[0]
    return _ENVELOPED.fullmatch(path) is not None and _PLAIN.fullmatch(path) is None


def problematic(target: bytes) -> bool:
    """Whether errors at this target of a request are problem details (RFC 9457)."""
    return target.startswith(b"/api/v1/")


def problem(error: Exception) -> dict[str, Any]:
    """An error as problem details, with its `mend`; what is not ours is logged and only has a number to look up."""
    http_status = status(error).http
    found: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(http_status).phrase, "status": http_status}
    if not isinstance(error, GlassworksError):
        return {**found, "detail": text_of(error), "mend": "look it up in the server's log"}
    return {**found, "detail": masked(error.problem[:_LONGEST]), "mend": masked(error.mend[:_LONGEST])}


def error_body(error: Exception, target: bytes = b"") -> dict[str, Any]:
    """What is answered for an error of a request to this target."""
    if problematic(target):
        return problem(error)
    text = text_of(error)
    if not enveloped(target):
        return {"error": text}
    kind = next(KINDS[each] for each in type(error).__mro__ if each in KINDS)
    found = _CODE.match(text)
    code = getattr(error, "code", None) or (found[1] if found else kind.code)
    return _envelope(text, kind._replace(code=code), getattr(error, "param", None))


def refusal_body(what: str, http: int, target: bytes = b"") -> dict[str, Any]:
    """The same for what is refused by a status alone."""
    if problematic(target):
        return {"type": "about:blank", "title": HTTPStatus(http).phrase, "status": http, "detail": what}
    if not enveloped(target):
        return {"error": what}
    kind = KINDS[InputError if http < 500 else ServingError]
    return _envelope(what, kind._replace(code=_OF_STATUS.get(http, kind.code)), None)


def hopeless(error: Exception) -> bool:
    """Whether the same request, sent again by itself, would fail again; clients do that for 429 and from 500 on."""
    if isinstance(error, Overloaded) and not isinstance(error, QuotaSpent):
        return error.retry_after_s > _LONG_S
    return isinstance(error, GlassworksError)


def _envelope(text: str, kind: Kind, param: str | None) -> dict[str, Any]:
    return {"error": {"message": text, "type": kind.type, "param": param, "code": kind.code}}
