"""Asks an ASGI application in this process, as a server would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Application = Callable[..., Awaitable[None]]


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body[: int(self.headers.get("inference-header-content-length", len(self.body)))])

    @property
    def error(self) -> str:
        """The text of an error, whose body holds nothing else."""
        assert self.status >= 400
        assert list(self.json) == ["error"]
        return str(self.json["error"])

    def tensor(self, name: str) -> NDArray[np.float32]:
        """An FP32 output, from JSON or from the bytes behind it."""
        place = int(self.headers.get("inference-header-content-length", 0))
        for output in self.json["outputs"]:
            size = output.get("parameters", {}).get("binary_data_size")
            if output["name"] == name:
                data = np.asarray(output["data"], "<f4") if size is None else self._raw(place, size)
                return data.reshape(output["shape"])
            place += size or 0
        raise KeyError(name)

    def _raw(self, place: int, size: int) -> NDArray[np.float32]:
        return np.frombuffer(self.body[place : place + size], "<f4")


async def ask(
    app: Application,
    verb: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    leave: bool = False,
) -> Reply | None:
    """One request, its body in two parts; with `leave` the client goes away after it. None: no answer was sent."""
    half = len(body) // 2
    parts = [(body[:half], True), (body[half:], False)]
    sent: list[Mapping[str, Any]] = []

    async def receive() -> Mapping[str, Any]:
        if parts:
            part, more = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": more}
        if not leave:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    await app({"type": "http", "method": verb, "path": path, "headers": raw}, receive, send)
    if not sent:
        return None
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert int(found["content-length"]) == len(sent[1]["body"])
    return Reply(sent[0]["status"], found, sent[1]["body"])
