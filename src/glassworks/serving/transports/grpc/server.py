"""The gRPC server beside the HTTP one: the protocol, health and reflection."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from glassworks.serving.transports.accepting import Accepting, accepting
from glassworks.serving.transports.grpc.calls import Calls
from glassworks.serving.transports.grpc.connection import Connection
from glassworks.serving.transports.grpc.fields import read_infer_request
from glassworks.serving.transports.grpc.frames import Code, Kind, frame
from glassworks.serving.transports.grpc.messages import SERVICE, message, pool
from glassworks.serving.transports.grpc.methods import Method, Sent
from glassworks.serving.transports.grpc.session import GREETING

if TYPE_CHECKING:
    from glassworks.serving.transports.grpc.service import InferenceService
    from glassworks.serving.transports.http.service import Service

_HEALTH = "grpc.health.v1.Health"
_REFLECTION = "grpc.reflection.v1alpha.ServerReflection"
_TOO_MANY = GREETING + frame(
    Kind.GOAWAY, 0, 0, bytes(4) + Code.ENHANCE_YOUR_CALM.to_bytes(4, "big") + b"too many connections are open"
)
_SWEEP_S = 1.0
_LOOK_S = 0.02


class RpcServer:
    """Serves on a bound socket from `start` to `stop`."""

    def __init__(
        self,
        inference: InferenceService,
        listening: socket.socket,
        service: Service,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`service` is the HTTP one beside it, whose limits are shared."""
        self._listening, self._tls = listening, tls
        self.port = int(listening.getsockname()[1])
        self._stopping = asyncio.Event()
        methods = {**_protocol(inference), **_health(self._stopping), **_reflection()}
        by_path = {path.encode(): method for path, method in methods.items()}
        self._calls = Calls(by_path, service.limits, service.receiving, service.supervisor, service.reading)
        self._service = service
        service.crowds.append(self._calls.connections)
        self._server: Accepting | None = None
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen."""
        self._server = await accepting(self._connection, self._listening, self._tls)
        self._sweeping = self._calls.supervisor.keep("sweep of gRPC connections", self._sweep)

    async def stop(self, grace_s: float) -> None:
        """Tell health checks, refuse what is new, and let what is in flight end."""
        self._stopping.set()
        if self._server is not None:
            self._server.close()
        for connection in list(self._calls.connections):
            connection.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                while self._calls.connections:
                    await asyncio.sleep(_LOOK_S)
        for connection in list(self._calls.connections):
            connection.close()
        if self._sweeping is not None:
            self._sweeping.cancel()

    def _connection(self) -> asyncio.Protocol:
        return _Full() if self._service.full else Connection(self._calls)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            now = asyncio.get_running_loop().time()
            for connection in list(self._calls.connections):
                try:
                    connection.expire(now)
                except Exception as error:  # noqa: BLE001 - one must not keep the others from being looked at
                    self._calls.supervisor.failed("sweep of gRPC connections", error)


class _Full(asyncio.Protocol):
    """The end of a connection beyond those that there may be; clients try again."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.WriteTransport, transport).write(_TOO_MANY)
        transport.close()


def _protocol(service: InferenceService) -> Mapping[str, Method]:
    methods = {}
    for described in pool().FindServiceByName(SERVICE).methods:
        infer = described.input_type.name == "ModelInferRequest"
        read = read_infer_request if infer else message(described.input_type.name).FromString
        write = message(described.output_type.name).SerializeToString
        handler, permit = getattr(service, described.name), service.permit(described.name)
        if described.name == "ModelInfer":
            method = Method(read=read, write=write, permit=permit, direct=service.begin_infer)
        elif described.server_streaming:
            method = Method(read=read, write=write, permit=permit, streamed=handler)
        else:
            method = Method(read=read, write=write, permit=permit, unary=handler)
        methods[f"/{SERVICE}/{described.name}"] = method
    return methods


def _health(stopping: asyncio.Event) -> Mapping[str, Method]:
    """The health checking protocol; names are those of the services here, or empty for all of them."""
    from grpc_health.v1 import health_pb2

    answers = health_pb2.HealthCheckResponse
    names = ("", SERVICE)

    def state(name: str) -> Any:
        if name not in names:
            return answers(status=answers.SERVICE_UNKNOWN)
        return answers(status=answers.NOT_SERVING if stopping.is_set() else answers.SERVING)

    async def check(request: Any, sent: Sent) -> Any:
        if request.service not in names:
            from glassworks.errors import NotFound

            raise NotFound(f"there is no service '{request.service[:200]}'", f"there are: {', '.join(names[1:])}")
        return state(request.service)

    async def watch(requests: AsyncIterator[Any], sent: Sent) -> AsyncGenerator[Any, None]:
        async for request in requests:
            yield state(request.service)
            await stopping.wait()
            yield state(request.service)

    read, write = health_pb2.HealthCheckRequest.FromString, answers.SerializeToString
    return {
        f"/{_HEALTH}/Check": Method(read=read, write=write, unary=check),
        f"/{_HEALTH}/Watch": Method(read=read, write=write, streamed=watch),
    }


def _reflection() -> Mapping[str, Method]:
    """Describes the services to tools; all must be in one pool, so ours gets the descriptions of the other two."""
    from grpc_health.v1 import health_pb2
    from grpc_reflection.v1alpha import reflection, reflection_pb2

    known = pool()
    for module in (health_pb2, reflection_pb2):
        known.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    described = reflection.ReflectionServicer((SERVICE, _HEALTH, _REFLECTION), pool=known)

    async def info(requests: AsyncIterator[Any], sent: Sent) -> AsyncGenerator[Any, None]:
        async for request in requests:
            for response in described.ServerReflectionInfo(iter([request]), None):
                yield response

    read = reflection_pb2.ServerReflectionRequest.FromString
    write = reflection_pb2.ServerReflectionResponse.SerializeToString
    return {f"/{_REFLECTION}/ServerReflectionInfo": Method(read=read, write=write, streamed=info)}
