"""The gRPC server beside the HTTP one: the protocol, health and reflection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from glassworks.errors import (
    DeadlineExceeded,
    Forbidden,
    GlassworksError,
    InputError,
    LimitExceeded,
    NotFound,
    Overloaded,
    ServingError,
    Unauthenticated,
)
from glassworks.serving.app import unexpected
from glassworks.serving.rpc.messages import SERVICE, message, pool

if TYPE_CHECKING:
    from glassworks.serving.rpc.service import InferenceService

_LONGEST = 1000
_KINDS: tuple[tuple[type[GlassworksError], str], ...] = (
    (NotFound, "NOT_FOUND"), (Unauthenticated, "UNAUTHENTICATED"), (Forbidden, "PERMISSION_DENIED"),
    (InputError, "INVALID_ARGUMENT"), (LimitExceeded, "RESOURCE_EXHAUSTED"), (Overloaded, "UNAVAILABLE"),
    (DeadlineExceeded, "DEADLINE_EXCEEDED"),
)  # fmt: skip
_log = logging.getLogger("glassworks.serving")


class RpcServer:
    """Serves on an address from `start` to `stop`. `tls` is the certificate chain and its key, PEM."""

    def __init__(
        self,
        service: InferenceService,
        host: str,
        port: int,
        max_message_bytes: int,
        tls: tuple[bytes, bytes] | None = None,
    ) -> None:
        self._service, self._host, self.port, self._tls = service, host, port, tls
        self._max_message_bytes = max_message_bytes
        self._server: Any = None
        self._health: Any = None

    async def start(self) -> None:
        """Listen. Raises ServingError when the address cannot be used."""
        import grpc
        from grpc_health.v1 import health, health_pb2, health_pb2_grpc

        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", self._max_message_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
            ]
        )
        server.add_generic_rpc_handlers((self._handlers(),))
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        for name in ("", SERVICE):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        _reflect(server)
        self.port = self._bound(server)
        await server.start()
        self._server = server

    async def stop(self, grace_s: float) -> None:
        """Tell health checks, refuse what is new, and let what is in flight end."""
        if self._server is None:
            return
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)

    def _bound(self, server: Any) -> int:
        import grpc

        address = f"{f'[{self._host}]' if ':' in self._host else self._host}:{self.port}"
        try:
            if self._tls is None:
                return int(server.add_insecure_port(address))
            chain, key = self._tls
            return int(server.add_secure_port(address, grpc.ssl_server_credentials([(key, chain)])))
        except RuntimeError:
            raise ServingError(
                f"cannot listen on {address} for gRPC", "give another port: --grpc-port 0 takes any free one"
            ) from None

    def _handlers(self) -> Any:
        import grpc

        handlers: dict[str, Any] = {}
        for method in pool().FindServiceByName(SERVICE).methods:
            read = message(method.input_type.name).FromString
            write = message(method.output_type.name).SerializeToString
            call = getattr(self._service, method.name)
            if method.server_streaming:
                handlers[method.name] = grpc.stream_stream_rpc_method_handler(_streamed(call), read, write)
            else:
                handlers[method.name] = grpc.unary_unary_rpc_method_handler(_unary(call), read, write)
        return grpc.method_handlers_generic_handler(SERVICE, handlers)


def _unary(call: Callable[[Any, dict[str, bytes]], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    async def answer(request: Any, context: Any) -> Any:
        try:
            return await call(request, _sent(context))
        except Exception as error:  # noqa: BLE001 - whatever happens, the client gets a status and a text
            await _abort(context, error)

    return answer


def _streamed(
    call: Callable[[AsyncIterator[Any], dict[str, bytes]], AsyncIterator[Any]],
) -> Callable[[AsyncIterator[Any], Any], AsyncIterator[Any]]:
    async def answers(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async for each in call(requests, _sent(context)):
            yield each

    return answers


def _sent(context: Any) -> dict[str, bytes]:
    return {
        name: value if isinstance(value, bytes) else value.encode()
        for name, value in context.invocation_metadata() or ()
    }


async def _abort(context: Any, error: Exception) -> None:
    import grpc

    if isinstance(error, grpc.aio.AbortError | asyncio.CancelledError):
        raise error
    code, text = "INTERNAL", ""
    if isinstance(error, GlassworksError):
        code = next((code for kind, code in _KINDS if isinstance(error, kind)), "INTERNAL")
        text = f"{error.problem[:_LONGEST]}; {error.mend[:_LONGEST]}"
        if isinstance(error, Overloaded):
            context.set_trailing_metadata((("retry-after", str(error.retry_after_s)),))
    await context.abort(getattr(grpc.StatusCode, code), text or unexpected(error))


def _reflect(server: Any) -> None:
    """Reflection looks everything up in one pool: ours gets the descriptions of the other two services."""
    from grpc_health.v1 import health_pb2
    from grpc_reflection.v1alpha import reflection, reflection_pb2

    held = pool()
    for module in (health_pb2, reflection_pb2):
        held.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    names = (SERVICE, "grpc.health.v1.Health", reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server, pool=held)
