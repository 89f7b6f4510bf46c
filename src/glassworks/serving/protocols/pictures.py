"""Pictures in, pictures out: one file a request, or frames one after the other over a WebSocket."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs

import msgspec

from glassworks.errors import InputError
from glassworks.serving.codec.uploads import is_form, only_file
from glassworks.serving.core.looking import Looking
from glassworks.serving.endpoints import Context, Protocol, of_model
from glassworks.serving.transports.http.exchange import Answer, Exchange, call, json_answer
from glassworks.serving.transports.http.websocket import FrameStream

if TYPE_CHECKING:
    from glassworks.serving.transports.http.service import Service

Form = Literal["png", "jpeg", "none"]
_FORMS: tuple[Form, ...] = ("png", "jpeg", "none")
_JSON = b"application/json"


class Pictures(Protocol):
    """Endpoints over a dispatcher, for models that look at pictures."""

    def __init__(self, context: Context) -> None:
        self._looking = Looking(context.dispatcher)

    @of_model(
        "POST",
        "/picture",
        "picture",
        "A picture file in, a picture to look at out.",
        takes="application/octet-stream",
        gives="image/png",
    )
    async def picture(self, exchange: Exchange) -> Answer:
        """POST /v2/models/{model}[/versions/{version}]/picture: a picture file in, a PNG out.

        The file may stand in a form, as `curl -F file=@x.jpg` sends it. With `Accept: application/json` the answer in
        words instead; it is also in the header `x-answer`.
        """
        file = exchange.content()
        if is_form(exchange.headers):
            file = await asyncio.to_thread(only_file, exchange.headers[b"content-type"], file)
        words, shown = await self._looking.look(call(exchange), bytes(file), _wanted_form(exchange))
        if shown is None:
            return json_answer(words)
        kind = b"image/jpeg" if shown[:2] == b"\xff\xd8" else b"image/png"
        return Answer(shown, content_type=kind, headers=[(b"x-answer", _one_line(words))])

    def upgrade(self, exchange: Exchange, service: Service) -> asyncio.Protocol:
        """The same with a WebSocket: what goes on with the connection. Raises what forbids it.

        The model and the key of whoever opened it are looked at again for each frame.
        """
        opened, form = call(exchange), stream_form(exchange)
        model = self._looking.model(opened)

        async def look(file: bytes) -> tuple[dict[str, Any], bytes | None]:
            return await self._looking.look(
                msgspec.structs.replace(opened, arrived_ns=time.perf_counter_ns()), file, form
            )

        return FrameStream(service, look, model.statistics.drop, exchange)

    @of_model("GET", "/stream", "stream", "Frames over a WebSocket.", documented=False, upgrade=upgrade)
    def stream(self, exchange: Exchange) -> Answer:
        """GET /v2/models/{model}[/versions/{version}]/stream without a WebSocket, or by somebody who may not."""
        self._looking.model(call(exchange))
        stream_form(exchange)
        raise InputError("frames are streamed over a WebSocket", "open it with ws:// and send a picture file a message")


def stream_form(exchange: Exchange) -> Form:
    """Which pictures a stream wants back, from its address: `?picture=jpeg`. Raises InputError."""
    query = parse_qs(exchange.target.partition(b"?")[2].decode("latin-1"))
    given = query.get("picture", ["jpeg"])[-1]
    for form in _FORMS:
        if given == form:
            return form
    raise InputError(f"picture is {given[:40]!r}", f"give one of {', '.join(_FORMS)}")


def _wanted_form(exchange: Exchange) -> Form:
    accepted = exchange.headers.get(b"accept", b"").lower()
    if _JSON in accepted:
        return "none"
    return "jpeg" if b"image/jpeg" in accepted and b"image/png" not in accepted else "png"


def _one_line(words: dict[str, Any]) -> bytes:
    """JSON in ASCII, as a header may hold it."""
    return json.dumps(words).encode()
