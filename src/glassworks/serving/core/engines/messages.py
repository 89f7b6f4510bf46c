"""What a server and its engine process say to each other: frames of MessagePack over a pipe.

Arrays are extensions. One holds the numbers themselves, or where they lie in shared memory.
"""

from __future__ import annotations

import dataclasses
import threading
from typing import IO, Any

import msgspec
import numpy as np

from glassworks import errors
from glassworks.contracts import Attribution, Chunk, Explanation
from glassworks.errors import GlassworksError
from glassworks.serving.codec.tensors import DTYPES, datatype
from glassworks.serving.core.engines.shared import SharedMemory
from glassworks.serving.core.explanations import ExplainOptions

_INLINE, _SHARED = 1, 2
"""Codes of extensions: datatype and shape, then the bytes (or a list of texts), or the offset in shared memory."""
SHARED_BYTES = 2**12
"""From this size on, an array goes through shared memory: below, the pipe is as quick (`benchmarks/engines.py`)."""
PIPE_BYTES = 2**16
"""Of the buffers at both ends: what a pipe of Linux holds."""
_LENGTH_BYTES = 8
_COUNTS = tuple(field.name for field in dataclasses.fields(Chunk) if field.name != "outputs")
"""What a chunk says beside its outputs."""
_LARGEST = 2**40


class Open(msgspec.Struct, tag=True, frozen=True):
    """The first message: the bundle of a folder whose manifest has that SHA-256.

    `memory` is the file of the model's feedback, if there is one. An engine that is to `infer` warms up and opens its
    explainers where it `explains` too; any other opens what is asked of it, and runs when nothing else wants the core.
    """

    folder: str
    sha256: str
    memory: str
    infers: bool
    explains: bool
    steps_back: bool = False
    """Whether its process, which can use all cores for long, leaves them to others first."""


class Ready(msgspec.Struct, tag=True, frozen=True):
    """The answer to Open; whether the model streams."""

    streams: bool


class Infer(msgspec.Struct, tag=True, frozen=True):
    """Compute all outputs. Of the messages, only `shared` ones and their answers may use the shared memory."""

    id: int
    tensors: dict[str, Any]
    shared: bool = False


class Explain(msgspec.Struct, tag=True, frozen=True):
    """Explain one row."""

    id: int
    example: dict[str, Any]
    options: ExplainOptions


class Stream(msgspec.Struct, tag=True, frozen=True):
    """Answer in chunks: the first is sent at once, the others when they were asked for by a Next."""

    id: int
    tensors: dict[str, Any]
    parameters: dict[str, Any]


class Next(msgspec.Struct, tag=True, frozen=True):
    """So many more chunks may be sent: several behind the first one, which was taken, then one for each that was."""

    id: int
    chunks: int = 1


class Cancel(msgspec.Struct, tag=True, frozen=True):
    """End a stream."""

    id: int


class Outputs(msgspec.Struct, tag=True, frozen=True):
    """The answer to Infer."""

    id: int
    tensors: dict[str, Any]


class Explained(msgspec.Struct, tag=True, frozen=True):
    """The answer to Explain, as `explanation` reads it."""

    id: int
    fields: dict[str, Any]


class Part(msgspec.Struct, tag=True, frozen=True):
    """A chunk of a stream."""

    id: int
    tensors: dict[str, Any]
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    max_tokens: int
    finish_reason: str


class End(msgspec.Struct, tag=True, frozen=True):
    """The stream has ended, or was cancelled."""

    id: int


class Refused(msgspec.Struct, tag=True, frozen=True):
    """One of our own errors instead of an answer, by the name of its class."""

    id: int
    kind: str
    problem: str
    mend: str


class Broken(msgspec.Struct, tag=True, frozen=True):
    """An error of somebody else's instead of an answer, with its traceback."""

    id: int
    traceback: str


Request = Open | Infer | Explain | Stream | Next | Cancel
Response = Ready | Outputs | Explained | Part | End | Refused | Broken
Message = Request | Response


class Channel:
    """One end of the pipes between two processes. Any thread may send; one receives."""

    def __init__(self, reading: IO[bytes], writing: IO[bytes], read: SharedMemory, written: SharedMemory) -> None:
        self._reading, self._writing, self.read, self.written = reading, writing, read, written
        self._sending = threading.Lock()
        self._plain, self._sharing = (
            msgspec.msgpack.Encoder(enc_hook=_inline),
            msgspec.msgpack.Encoder(enc_hook=self._shared),
        )
        self._decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message, ext_hook=self._restored)

    def send(self, message: Message, shared: bool = False) -> None:
        """Write a message; a `shared` one may use shared memory. Raises OSError where nobody reads any longer."""
        if shared:
            self.written.clear()
        content = (self._sharing if shared else self._plain).encode(message)
        with self._sending:
            self._writing.write(len(content).to_bytes(_LENGTH_BYTES, "little"))
            self._writing.write(content)
            self._writing.flush()

    def receive(self) -> Message:
        """The next message. Raises EOFError at the end, ValueError for what is no message."""
        length = int.from_bytes(self._exactly(_LENGTH_BYTES), "little")
        if length > _LARGEST:
            raise ValueError("something else than a message was written")
        return self._decoder.decode(self._exactly(length))

    def close(self) -> None:
        """Close the pipes and give the shared memory back."""
        for each in (self._reading, self._writing):
            try:
                each.close()
            except OSError:  # what was not yet written cannot be
                continue
        self.read.close()
        self.written.close()

    def _exactly(self, count: int) -> bytes:
        content = self._reading.read(count)
        if len(content) < count:
            raise EOFError
        return content

    def _shared(self, value: object) -> object:
        if isinstance(value, np.ndarray) and value.nbytes >= SHARED_BYTES and not value.dtype.hasobject:
            try:
                offset = self.written.write(value)
            except OSError:  # there is no memory to share: the pipe needs none
                return _inline(value)
            return msgspec.msgpack.Ext(_SHARED, msgspec.msgpack.encode((datatype(value), value.shape, offset)))
        return _inline(value)

    def _restored(self, code: int, data: memoryview) -> object:
        if code not in (_INLINE, _SHARED):
            raise ValueError(f"a message holds the unknown extension {code}")
        name, shape, content = msgspec.msgpack.decode(data)
        if code == _SHARED:
            return self.read.read(content, DTYPES[name], tuple(shape))
        if name == "BYTES":
            flat = np.empty(len(content), object)
            flat[:] = content
            return flat.reshape(shape)
        return np.frombuffer(content, DTYPES[name]).reshape(shape)


def _inline(value: object) -> object:
    if isinstance(value, np.ndarray):
        data = value.ravel().tolist() if value.dtype == object else value.tobytes()
        return msgspec.msgpack.Ext(_INLINE, msgspec.msgpack.encode((datatype(value), value.shape, data)))
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a message cannot hold {type(value).__name__}")


def explained(request_id: int, explanation: Explanation) -> Explained:
    """An explanation as it is sent."""
    return Explained(request_id, {**vars(explanation), "attribution": vars(explanation.attribution)})


def explanation(message: Explained) -> Explanation:
    """An explanation as it was sent."""
    fields = message.fields
    made = {
        "attribution": Attribution(**fields["attribution"]),
        "spans": tuple((begin, end) for begin, end in fields["spans"]),
        "sections": tuple((name, start, end) for name, start, end in fields["sections"]),
        "names": tuple(fields["names"]),
    }
    return Explanation(**{**fields, **made})


def part(request_id: int, chunk: Chunk) -> Part:
    """A chunk as it is sent."""
    return Part(request_id, dict(chunk.outputs), **{name: getattr(chunk, name) for name in _COUNTS})


def chunk(message: Part) -> Chunk:
    """A chunk as it was sent."""
    return Chunk(outputs=message.tensors, **{name: getattr(message, name) for name in _COUNTS})


def refused(request_id: int, raised: GlassworksError) -> Refused:
    """An error as it is sent: by its own class, or the nearest one that both sides know."""
    kind = next(kind.__name__ for kind in type(raised).__mro__ if hasattr(errors, kind.__name__))
    return Refused(request_id, kind, raised.problem, raised.mend)


def error(message: Refused | Broken) -> Exception:
    """An error as it was raised."""
    if isinstance(message, Broken):
        return RuntimeError(f"in the engine process:\n{message.traceback}")
    kind: type[GlassworksError] = getattr(errors, message.kind)
    return kind(message.problem, message.mend)
