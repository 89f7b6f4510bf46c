"""Compressed messages: unpacked for admitted calls only, and no further than is allowed."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping

from glassworks.serving.transports.grpc.intake import Ended

_WINDOWS = {b"gzip": 31, b"deflate": 15}
_ACCEPTED = [(b"grpc-accept-encoding", b"identity,deflate,gzip")]
_HERE = 2**16
"""Bytes that are unpacked on the event loop; what is larger waits for a thread."""
_PACKED = 1
"""The prefix of a compressed message; others but 0 mean nothing."""


async def unpacked(packed: int, message: bytes, headers: Mapping[bytes, bytes], limit: int) -> bytes:
    """A compressed message as it was. Raises Ended."""
    encoding = headers.get(b"grpc-encoding", b"identity")
    if packed != _PACKED or encoding == b"identity":
        raise Ended(13, "a message says that it is compressed, and the metadata do not say how; send grpc-encoding")
    window = _WINDOWS.get(encoding)
    if window is None:
        shown = encoding[:40].decode("latin-1")
        raise Ended(12, f"the message is compressed by {shown!r}; send gzip, deflate or identity", _ACCEPTED)
    inflater = zlib.decompressobj(window)
    try:
        plain = inflater.decompress(message, _HERE)
        if not inflater.eof and inflater.unconsumed_tail:
            plain += await asyncio.to_thread(inflater.decompress, inflater.unconsumed_tail, limit + 1)
    except zlib.error:
        raise Ended(13, "the message cannot be decompressed; send it as grpc-encoding says") from None
    if len(plain) > limit:
        raise Ended(8, f"a message has more than {limit} bytes when it is decompressed")
    if not inflater.eof:
        raise Ended(13, "the compressed message is cut off")
    return plain
