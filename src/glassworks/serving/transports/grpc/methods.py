"""A method of gRPC: how its messages are read and written, and who handles its calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

Sent = Mapping[bytes, bytes]
Unary = Callable[[Any, Sent], Awaitable[Any]]
Streamed = Callable[[AsyncIterator[Any], Sent], AsyncGenerator[Any, None]]
Direct = Callable[[Any, Sent, Callable[[Any], None], Callable[[Exception], None]], Callable[[], object] | None]
"""Takes message, metadata, and where to bring the answer or the error; gives what cancels the work."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method: one of its three kinds of handler, and how its messages are read and written.

    `permit` looks at the metadata before a message is kept, and raises what forbids the call.
    """

    read: Callable[[bytes], Any]
    write: Callable[[Any], bytes]
    unary: Unary | None = None
    streamed: Streamed | None = None
    direct: Direct | None = None
    permit: Callable[[Sent], None] | None = None
