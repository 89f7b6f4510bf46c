"""The protocol's messages as classes, made from the compiled description of `open_inference.proto`.

They live in a pool of their own: other clients of the protocol bring the same names into Python's default pool, and
one process may hold two of them only so.
"""

from __future__ import annotations

import functools
from importlib.resources import files
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "inference"
SERVICE = f"{PACKAGE}.GRPCInferenceService"


@functools.cache
def pool() -> descriptor_pool.DescriptorPool:
    """The pool that holds the protocol."""
    content = files("glassworks.serving.transports.grpc").joinpath("open_inference.binpb").read_bytes()
    found = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(content).file:
        found.Add(file)
    return found


@functools.cache
def message(name: str) -> Any:
    """The class of a message, such as `ModelInferRequest`."""
    return message_factory.GetMessageClass(pool().FindMessageTypeByName(f"{PACKAGE}.{name}"))
