"""Pictures in, pictures out: one file a request, or frames one after the other over a WebSocket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs

from glassworks.contracts import Pictures
from glassworks.errors import InputError, Unsupported
from glassworks.serving.protocols.open_inference import call
from glassworks.serving.transports.http.exchange import Answer, Exchange, json_answer

if TYPE_CHECKING:
    from glassworks.serving.core.dispatcher import Call, Dispatcher
    from glassworks.serving.core.model import LoadedModel

Form = Literal["png", "jpeg", "none"]
_FORMS: tuple[Form, ...] = ("png", "jpeg", "none")
_JSON = b"application/json"


class PictureAnswers:
    """Endpoints over a dispatcher, for models that look at pictures."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    async def picture(self, exchange: Exchange) -> Answer:
        """POST /v2/models/{model}[/versions/{version}]/picture: a picture file in, a PNG out.

        With `Accept: application/json` the answer in words instead; it also stands in the header `x-answer`.
        """
        words, shown = await self.answer(call(exchange), bytes(exchange.content()), _wanted_form(exchange))
        if shown is None:
            return json_answer(words)
        kind = b"image/jpeg" if shown[:2] == b"\xff\xd8" else b"image/png"
        return Answer(shown, content_type=kind, headers=[(b"x-answer", _one_line(words))])

    def stream(self, exchange: Exchange) -> Answer:
        """GET /v2/models/{model}[/versions/{version}]/stream without a WebSocket, or by somebody who may not."""
        self.stream_of(exchange)
        raise InputError("frames are streamed over a WebSocket", "open it with ws:// and send a picture file a message")

    def stream_of(self, exchange: Exchange) -> tuple[Call, LoadedModel, Form]:
        """Who asks for a stream, the model, and which pictures go back. Raises what forbids it."""
        asked = call(exchange)
        return asked, looking(self._dispatcher.model(asked)), stream_form(exchange)

    async def answer(self, asked: Call, file: bytes, form: Form) -> tuple[dict[str, Any], bytes | None]:
        """What the model says about one file, and what is to be seen of it. Raises InputError and Overloaded."""
        return await self._dispatcher.look(asked, looking(self._dispatcher.model(asked)), file, form)


def looking(model: LoadedModel) -> LoadedModel:
    """The model, if it looks at pictures. Raises Unsupported."""
    if not isinstance(model.opened.task, Pictures):
        raise Unsupported(f"a model for {model.manifest.task} looks at no pictures", "use its infer endpoint")
    return model


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
