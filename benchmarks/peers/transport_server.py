"""The same application on two transports: `ours`, or uvicorn's protocol class with inference answered inside it.

Arguments: which, the port, and the model; GLASSWORKS_HOME has it.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from glassworks.registry import Registry
from glassworks.serving.app import Application
from glassworks.serving.core.dispatcher import Dispatcher
from glassworks.serving.core.memory import keep_memory
from glassworks.serving.core.models import Models
from glassworks.serving.endpoints import Context
from glassworks.serving.routes import routes
from glassworks.serving.transports.http.connection import Connection
from glassworks.serving.transports.http.exchange import Answer, Exchange, rendered_head
from glassworks.serving.transports.http.limits import Limits
from glassworks.serving.transports.http.service import Service

PATIENCE_S = 2


class Quick(HttpToolsProtocol):
    """Inference without a scope, a cycle and a task; everything else goes to the ASGI application."""

    service: Service

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.exchange: Exchange | None = None
        self.parts: list[bytes] = []

    def on_headers_complete(self) -> None:
        if not self.url.endswith(b"/infer") or (self.cycle is not None and not self.cycle.response_complete):
            super().on_headers_complete()
            return
        self.exchange = Exchange(self.parser.get_method().decode("ascii"), self.url, dict(self.headers), b"")
        self.exchange.max_body_bytes = self.service.limits.max_body_bytes
        self.exchange.keep_alive = self.parser.should_keep_alive()
        self.exchange.request_id = self.service.request_id()
        self.exchange.reply = self.reply

    def on_body(self, body: bytes) -> None:
        if self.exchange is None:
            super().on_body(body)
        else:
            self.parts.append(body)

    def on_message_complete(self) -> None:
        if self.exchange is None:
            super().on_message_complete()
            return
        self.exchange.body = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
        self.service.answer(self.exchange)

    def reply(self, answer: Answer) -> None:
        if self.exchange is not None and not self.transport.is_closing():
            keep_alive = self.exchange.keep_alive
            head = rendered_head(answer, self.exchange.request_id, self.service.date, keep_alive)
            self.transport.write(head + answer.body)
            if not keep_alive:
                self.transport.close()


def bridged(service: Service) -> Any:
    """The application as ASGI has it."""

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        exchange = Exchange(scope["method"], scope["raw_path"], dict(scope["headers"]), body)
        exchange.max_body_bytes = service.limits.max_body_bytes
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        exchange.reply = answered.set_result
        service.answer(exchange)
        answer = await answered
        headers = [(b"content-type", answer.content_type), (b"content-length", b"%d" % len(answer.body))]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers + answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    return application


async def ours(service: Service, port: int) -> None:
    """Our connection, as `glassworks serve` has it."""
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Connection(service), "127.0.0.1", port)
    while True:
        await asyncio.sleep(1)
        service.sweep(loop.time())


def main() -> None:
    """Serve until killed."""
    which, port, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    keep_memory()
    models = Models()
    models.load(Registry.open().resolve(name).bundle, name, "1")
    service = Service(Application(routes(Context(Dispatcher(models)))), Limits(receive_s=PATIENCE_S, idle_s=PATIENCE_S))
    if which == "ours":
        uvloop.run(ours(service, port))
        return
    Quick.service = service
    uvicorn.run(
        bridged(service), http=Quick, loop="uvloop", host="127.0.0.1", port=port, lifespan="off", access_log=False,
        log_level="critical", server_header=False, ws="none", timeout_keep_alive=PATIENCE_S,
    )  # fmt: skip


if __name__ == "__main__":
    main()
