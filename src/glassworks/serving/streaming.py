"""Frames over a WebSocket: the newest one is answered next, those that waited too long are dropped and counted.

A client sends picture files, one a binary message. For each that is answered it gets a text message, JSON with `frame`
(its number, from 0), `dropped` (all so far), `milliseconds` and `answer` or `error`; behind an answer a binary message
with the picture to look at, unless it asked for none. One frame is computed at a time and at most one waits, so no
answer is older than two frames take.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from glassworks.catalog import require
from glassworks.errors import GlassworksError
from glassworks.serving.app import text_of, unexpected

if TYPE_CHECKING:
    from glassworks.serving.desk import Call
    from glassworks.serving.http.exchange import Exchange
    from glassworks.serving.http.service import Service
    from glassworks.serving.model import LoadedModel
    from glassworks.serving.picture_answers import Form, PictureAnswers

_GOING_AWAY = 1001


class FrameStream(asyncio.Protocol):
    """One connection from the moment at which it became a WebSocket."""

    def __init__(
        self, service: Service, answers: PictureAnswers, asked: Call, model: LoadedModel, form: Form, opening: Exchange
    ) -> None:
        """`asked` names the model and the key of whoever opened the stream; both are looked at again for each frame."""
        require(("websockets",), "streaming frames", extra="video")
        from websockets.server import ServerProtocol

        self._service, self._answers, self._asked, self._model, self._form = service, answers, asked, model, form
        self._socket = ServerProtocol(max_size=service.limits.max_body_bytes)
        self._opening = opening
        self._transport: Any = None
        self._parts: list[bytes] = []
        self._waiting: tuple[int, bytes] | None = None
        self._task: asyncio.Task[None] | None = None
        self._count = self.dropped = 0
        self._writable = asyncio.Event()
        self._writable.set()
        self._since = asyncio.get_running_loop().time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The request that opened it is answered."""
        self._transport = transport
        self._service.connections.add(self)
        head = [b"GET %b HTTP/1.1" % self._opening.target]
        head += [b"%b: %b" % each for each in self._opening.headers.items()]
        self.data_received(b"\r\n".join(head) + b"\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        """Go on with what arrived."""
        from websockets.frames import Frame, Opcode
        from websockets.http11 import Request

        self._since = asyncio.get_running_loop().time()
        self._socket.receive_data(data)
        for event in self._socket.events_received():
            if isinstance(event, Request):
                self._socket.send_response(self._socket.accept(event))
            elif isinstance(event, Frame) and event.opcode in (Opcode.BINARY, Opcode.TEXT, Opcode.CONT):
                self._parts.append(bytes(event.data))
                if event.fin:
                    self._arrived(b"".join(self._parts))
                    self._parts = []
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._service.connections.discard(self)
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """The client does not read: nothing more is computed for it."""
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    @property
    def owes(self) -> bool:
        """A frame that began is answered before the service ends."""
        return self._task is not None

    def close(self) -> None:
        """Say that the service ends."""
        self._socket.send_close(_GOING_AWAY, "the service is stopping")
        self._flush()
        self._transport.close()

    def expire(self, now: float) -> None:
        """Close where nothing was sent for long."""
        if self._task is None and now - self._since > self._service.limits.idle_s:
            self.close()

    def _arrived(self, file: bytes) -> None:
        if self._waiting is not None:
            self.dropped += 1
            self._model.statistics.dropped += 1
        self._waiting = (self._count, file)
        self._count += 1
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        try:
            while self._waiting is not None:
                await self._writable.wait()
                (number, file), self._waiting = self._waiting, None
                await self._answer(number, file)
        finally:
            self._task = None

    async def _answer(self, number: int, file: bytes) -> None:
        start, shown = time.perf_counter(), None
        told: dict[str, Any] = {"frame": number}
        try:
            now = replace(self._asked, arrived_ns=time.perf_counter_ns())
            told["answer"], shown = await self._answers.answer(now, file, self._form)
        except GlassworksError as error:  # a frame that cannot be read costs only itself
            told["error"] = text_of(error)
        except Exception as error:  # noqa: BLE001 - whatever happens, the client gets an answer
            told["error"] = unexpected(error)
        told |= {"dropped": self.dropped, "milliseconds": round(1e3 * (time.perf_counter() - start), 3)}
        self._socket.send_text(msgspec.json.encode(told))
        if shown is not None:
            self._socket.send_binary(shown)
        self._flush()

    def _flush(self) -> None:
        for data in self._socket.data_to_send():
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof():
                self._transport.write_eof()
        if self._socket.close_expected():
            self._transport.close()
