"""How an error is answered, over whatever transport: one table of status codes, and one text."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from glassworks.errors import (
    DeadlineExceeded,
    Forbidden,
    GlassworksError,
    InputError,
    LimitExceeded,
    NotFound,
    Overloaded,
    Unauthenticated,
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
        TooLarge: Status(413, 8),
        Unauthenticated: Status(401, 16),
        Forbidden: Status(403, 7),
        Overloaded: Status(503, 14),
        LimitExceeded: Status(429, 8),
        DeadlineExceeded: Status(504, 4),
    }
)
"""By class; one that is not here has the codes of its parent."""


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
