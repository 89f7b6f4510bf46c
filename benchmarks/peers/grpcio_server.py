"""Our own service of the protocol behind grpcio's server: `python grpcio_server.py MODEL PORT`."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import grpc
import uvloop

from glassworks.registry import Registry
from glassworks.serving.codec.tensors import TensorLimits
from glassworks.serving.core.dispatcher import Dispatcher
from glassworks.serving.core.models import Models
from glassworks.serving.transports.grpc.messages import SERVICE, message, pool
from glassworks.serving.transports.grpc.service import InferenceService


def handler(service: InferenceService, described: Any) -> grpc.RpcMethodHandler:
    """One unary method of the service."""
    method = getattr(service, described.name)

    async def answer(request: Any, context: Any) -> Any:
        return await method(request, {name.encode(): value for name, value in context.invocation_metadata()})

    read, write = message(described.input_type.name).FromString, message(described.output_type.name).SerializeToString
    return grpc.unary_unary_rpc_method_handler(answer, read, write)


async def main(model: str, port: int) -> None:
    with contextlib.closing(Models()) as models:
        resolved = Registry.open().resolve(model)
        models.load(resolved.bundle, resolved.name, "1")
        service = InferenceService(Dispatcher(models), None, TensorLimits())
        methods = {each.name: handler(service, each) for each in pool().FindServiceByName(SERVICE).methods}
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
        server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        await server.wait_for_termination()


uvloop.run(main(sys.argv[1], int(sys.argv[2])))
