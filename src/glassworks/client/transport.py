"""Requests over HTTP: errors as the exceptions of this package, streams that go on behind the last event."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from glassworks.errors import GlassworksError, InputError, Overloaded, ServingError
from glassworks.serving.failures import STATUSES

_R = TypeVar("_R")
_API = "/api/v1"
_ERRORS = {status.http: kind for kind, status in STATUSES.items() if issubclass(kind, InputError | ServingError)}
"""Status -> what is raised for it."""
_SILENCE_S = 35.0
"""A stream says something every four seconds."""
_MOST_BYTES, _MOST_LINE = 2**28, 2**24
"""Of a body, and of a line of a stream, unpacked: whatever answers must not fill this machine's memory."""
_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0


@dataclass(frozen=True)
class ServerEvent:
    """One of a stream: `kind` such as `values`, and what it says."""

    id: str
    kind: str
    data: Any


class Transport:
    """Asks one service. Use it on one thread at a time, and close it at the end."""

    def __init__(self, url: str = "http://127.0.0.1:8080", key: str | None = None, timeout_s: float = 60.0) -> None:
        """`key` is an access key, where the service needs one; left out, that of GLASSWORKS_KEY. Raises InputError."""
        if not url.startswith(("http://", "https://")):
            raise InputError(f"'{url[:200]}' is no address of a service", f"write http://{url[:200]}")
        secret = key if key is not None else os.environ.get("GLASSWORKS_KEY", "")
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        # Neither proxies nor anything else of the environment: what is meant is said here.
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s, trust_env=False)
        self.etag: str | None = None
        """What identifies the state that the last answer showed, for `if_match`; None where it had none. An error
        leaves it as it is."""

    def close(self) -> None:
        """End its connections."""
        self._http.close()

    def ask(self, method: str, path: str, kind: type[_R], **asked: Any) -> _R:
        """The answer as `kind`; `asked` is as of `fetch`. Raises what `fetch` raises."""
        return TypeAdapter(kind).validate_json(self.fetch(method, path, **asked))

    def fetch(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str | None] | None = None,
        body: Mapping[str, Any] | None = None,
        content: bytes | None = None,
    ) -> bytes:
        """The answer as it is; what is None in `query`, `headers` and `body` is left out.

        Raises what the service answers, and ServingError without an answer.
        """
        asked: dict[str, Any] = {"params": _given(query), "headers": _given(headers)}
        if content is not None:
            asked["content"] = content
            asked["headers"]["content-type"] = "application/octet-stream"
        elif body is not None:
            asked["json"] = to_jsonable_python(_given(body), exclude_none=True)
        with self._reached(), self._http.stream(method, _API + path, **asked) as response:
            content = _bounded(response)
        if response.status_code >= 400:
            raise error_of(response.status_code, content)
        self.etag = response.headers.get("etag")
        return content

    def follow(
        self, path: str, query: Mapping[str, Any] | None = None, last: str | None = None
    ) -> Iterator[ServerEvent]:
        """The events of a stream, for ever: a connection that is lost is made again, behind the last event.

        Raises what the service answers to the first request; later only what is no passing trouble.
        """
        pause = _PAUSE_S
        while True:
            try:
                for event in self._events(path, query, last):
                    last, pause = event.id or last, _PAUSE_S
                    yield event
            except (httpx.TransportError, Overloaded):
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _events(self, path: str, query: Mapping[str, Any] | None, last: str | None) -> Iterator[ServerEvent]:
        headers = {"accept": "text/event-stream", **({"last-event-id": last} if last else {})}
        timeout = httpx.Timeout(_SILENCE_S)
        with self._http.stream("GET", _API + path, params=_given(query), headers=headers, timeout=timeout) as response:
            if response.status_code >= 400:
                raise error_of(response.status_code, _bounded(response))
            found: dict[str, str] = {}
            for line in _lines(response):
                if line and not line.startswith(":"):
                    name, _, value = line.partition(": ")
                    found[name] = value
                elif "data" in found:
                    event = ServerEvent(found.get("id", ""), found.get("event", "message"), json.loads(found["data"]))
                    if event.kind == "problem":
                        raise _error(int(event.data["status"]), event.data)
                    yield event
                    found = {}

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException:
            raise ServingError(
                f"{self._http.base_url} did not answer in time", "ask again, or give a longer timeout_s"
            ) from None
        except httpx.TransportError as error:
            raise ServingError(
                f"{self._http.base_url} cannot be reached: {error}", "start it: glassworks serve; or give its url"
            ) from None


def segment(value: object) -> str:
    """A value as one part of a path."""
    return quote(str(value), safe="")


def error_of(status: int, content: bytes) -> GlassworksError:
    """The exception of an answer."""
    try:
        found = json.loads(content)
    except ValueError:
        found = {}
    return _error(status, found if isinstance(found, dict) else {})


def _bounded(response: httpx.Response) -> bytes:
    """The body of an answer. Raises ServingError for one that is larger than any that a service sends."""
    parts, size = [], 0
    for part in response.iter_bytes():
        size += len(part)
        if size > _MOST_BYTES:
            raise _endless(f"its answer has more than {_MOST_BYTES:,} bytes")
        parts.append(part)
    return b"".join(parts)


def _lines(response: httpx.Response) -> Iterator[str]:
    """Of a stream, each within its bound. Raises ServingError."""
    rest = b""
    for part in response.iter_bytes():
        *whole, rest = (rest + part).split(b"\n")
        if max(map(len, (*whole, rest))) > _MOST_LINE:
            raise _endless(f"a line of its stream has more than {_MOST_LINE:,} bytes")
        yield from (line.rstrip(b"\r").decode("utf-8", "replace") for line in whole)


def _endless(what: str) -> ServingError:
    return ServingError(f"this is no service of Glassworks: {what}", "see that the url is right")


def _error(status: int, found: Mapping[str, Any]) -> GlassworksError:
    kind = _ERRORS.get(status, InputError if status < 500 else ServingError)
    problem = str(found.get("detail") or found.get("error") or f"the service answered with {status}")
    lines = [f"{each.get('key')}: {each.get('problem')}" for each in found.get("errors") or ()][1:]
    return kind("; ".join([problem, *lines]), str(found.get("mend") or "see the service's log"))


def _given(values: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (values or {}).items() if value is not None}
