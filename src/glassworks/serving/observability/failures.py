"""The last requests that failed and troubles of the service, in memory: for people who look while it runs.

A request that succeeds pays nothing for it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from glassworks.serving.access.gate import token_of
from glassworks.serving.access.masking import masked

if TYPE_CHECKING:
    from glassworks.serving.transports.http.exchange import Answer, Exchange

_KEPT, _LONGEST_PATH, _LONGEST = 1000, 200, 1000
_SERVERS_FAULT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A request that was answered with an error, or a trouble of a part of the service; `at` is in seconds since 1970.
    `key` is the name of an access key."""

    number: int
    at: float
    level: str
    problem: str
    mend: str = ""
    status: int | None = None
    method: str = ""
    path: str = ""
    model: str = ""
    request_id: str = ""
    key: str = ""
    part: str = ""


@dataclass(slots=True, eq=False)
class Failures:
    """The last thousand. Any thread may add to it and read it."""

    name: Callable[[bytes | None], str] = lambda token: ""
    """The name of the access key that was sent."""
    newest: int = field(default_factory=lambda: time.time_ns() // 1000)
    """The number of the last one. It begins with the time, so that numbers grow over a restart too."""
    _kept: deque[Failure] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(self, exchange: Exchange, answer: Answer) -> None:
        """Keep what a request was answered with."""
        problem, mend = _said(answer)
        self._keep(
            level="error" if answer.status >= _SERVERS_FAULT else "warning",
            problem=problem,
            mend=mend,
            status=answer.status,
            method=exchange.method,
            path=masked(exchange.target.partition(b"?")[0].decode("latin-1"))[:_LONGEST_PATH],
            model=masked(exchange.parameters.get("model", ""))[:_LONGEST_PATH],
            request_id=masked(exchange.request_id.decode("latin-1")),
            key=self.name(token_of(exchange.headers)),
        )

    def troubled(self, part: str, problem: str) -> None:
        """Keep what is wrong with a part of the service."""
        self._keep(level="error", problem=problem, part=part)

    def since(self, number: int, limit: int = _KEPT) -> Sequence[Failure]:
        """Those behind a number, the oldest first."""
        with self._lock:
            found = [each for each in self._kept if each.number > number]
        return found[:limit]

    def before(self, number: int | None, limit: int) -> Sequence[Failure]:
        """Those before a number (None: all), the newest first."""
        with self._lock:
            found = [each for each in self._kept if number is None or each.number < number]
        return found[::-1][:limit]

    def _keep(self, **said: Any) -> None:
        with self._lock:
            self.newest += 1
            self._kept.append(Failure(number=self.newest, at=time.time(), **said))


def _said(answer: Answer) -> tuple[str, str]:
    """What an answer says is wrong, and its mend."""
    if answer.error is not None:
        return masked(answer.error.problem)[:_LONGEST], masked(answer.error.mend)[:_LONGEST]
    return _read(bytes(answer.body))


def _read(body: bytes) -> tuple[str, str]:
    """The same of what another application answered, in whichever protocol."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return masked(body[:_LONGEST].decode("utf-8", "replace")), ""
    error = found.get("error", found) if isinstance(found, dict) else found
    if not isinstance(error, dict):
        return masked(str(error))[:_LONGEST], ""
    problem = error.get("detail") or error.get("message") or error.get("title") or ""
    return masked(str(problem))[:_LONGEST], masked(str(error.get("mend", "")))[:_LONGEST]
