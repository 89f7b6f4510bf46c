"""Bodies that travel compressed: inflated in steps whose work is bounded by what came, deflated where it pays."""

from __future__ import annotations

import zlib

from glassworks.errors import InputError
from glassworks.serving.transports.http.limits import too_large

Body = bytes | bytearray
_WINDOWS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}
_FIRST_STEP, _LONGEST_STEP = 1024, 65_536
"""Bytes that are given to zlib at once: it copies what a step does not use, so a short member must be a short step."""
_OUTPUT_STEP = 262_144
_MEMBERS, _MEMBER = 64, 1024
"""A gzip file may have so many members, and one more for each so many bytes: each costs as much as much data."""
_COMPRESSED_FROM, _COMPRESSED_TO = 1024, 2**20
"""Bytes; a smaller answer is not worth compressing, a larger one would keep the event loop for too long."""
_LEVEL = 1


class Inflation:
    """One compressed body on its way to what it was, which has at most `limit` bytes."""

    def __init__(self, packed: Body, encoding: bytes, limit: int) -> None:
        """Raises InputError where the encoding is not known."""
        self._name = encoding[:40].decode("latin-1")
        if encoding not in _WINDOWS:
            raise InputError(f"the content encoding {self._name!r} is not known", "send gzip, deflate or identity")
        self._packed, self._encoding, self._limit = packed, encoding, limit
        self._position, self._members, self._step = 0, 1, _FIRST_STEP
        self._inflater = zlib.decompressobj(_WINDOWS[encoding])
        self.content = bytearray()

    def run(self, enough: int | None = None) -> bool:
        """Go on until `enough` bytes were made, or to the end without it; whether it is whole. Raises InputError."""
        until = self._limit + 1 if enough is None else len(self.content) + enough
        while not self._inflater.eof or self._next_member():
            if len(self.content) >= until:
                return False
            self._inflate()
            if len(self.content) > self._limit:
                raise too_large(self._limit)
        return True

    def _inflate(self) -> None:
        with memoryview(self._packed) as packed:
            part = packed[self._position : self._position + self._step]
            try:
                made = self._inflater.decompress(part, min(_OUTPUT_STEP, self._limit + 1 - len(self.content)))
            except zlib.error as error:
                raise InputError(f"the body is not {self._name}: {error}", "send what content-encoding says") from None
            used = len(part) - len(self._inflater.unconsumed_tail) - len(self._inflater.unused_data)
            part.release()
        if not used and not made and not self._inflater.eof:
            raise InputError(f"the {self._name} body is cut off", "send the whole stream")
        self.content += made
        self._position += used
        self._step = min(2 * self._step, _LONGEST_STEP)

    def _next_member(self) -> bool:
        """Begin the next of several gzip members, where there is one."""
        size = len(self._packed)
        if self._position == size:
            return False
        if self._encoding == b"deflate":
            raise InputError("the deflate body is followed by something else", "send one whole stream")
        self._members += 1
        if self._members > _MEMBERS + size // _MEMBER:
            raise InputError(f"the {self._name} body has too many members", "compress it as one")
        self._inflater, self._step = zlib.decompressobj(_WINDOWS[self._encoding]), _FIRST_STEP
        return True


def deflated(body: bytes, accepted: bytes) -> tuple[bytes, bytes] | None:
    """A body that is worth it in the first way of ours that `accept-encoding` names, and that name."""
    if not _COMPRESSED_FROM <= len(body) <= _COMPRESSED_TO:
        return None
    for part in accepted.lower().split(b","):
        name, _, quality = part.partition(b";")
        name = name.strip()
        if name in (b"gzip", b"deflate") and quality.replace(b" ", b"") not in (b"q=0", b"q=0.0"):
            deflater = zlib.compressobj(_LEVEL, wbits=_WINDOWS[name])
            return deflater.compress(body) + deflater.flush(), name
    return None
