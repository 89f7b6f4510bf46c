"""What the server and the process that explains tell each other: frames of MessagePack, arrays as their bytes."""

from __future__ import annotations

from typing import IO, Any

import msgspec
import numpy as np

from glassworks import errors
from glassworks.contracts import Attribution, Explanation
from glassworks.errors import GlassworksError
from glassworks.serving.codec.tensors import DTYPES, datatype
from glassworks.serving.core.explaining.rows import ExplainOptions

_ARRAY = 1
"""The code of an extension that holds an array: its datatype, its shape, and its bytes or a list of texts."""
_LENGTH_BYTES = 8
_LARGEST = 2**40


class Explain(msgspec.Struct, tag=True, frozen=True):
    """Explain one row with the bundle of a folder whose manifest has that SHA-256.

    `memory` is the file of what people told the model, if there is one.
    """

    folder: str
    sha256: str
    example: dict[str, Any]
    options: ExplainOptions
    memory: str = ""


class LetGo(msgspec.Struct, tag=True, frozen=True):
    """Close a bundle; nothing is answered."""

    folder: str
    sha256: str


class Explained(msgspec.Struct, tag=True, frozen=True):
    """The explanation, as `explanation` reads it."""

    fields: dict[str, Any]


class Refused(msgspec.Struct, tag=True, frozen=True):
    """One of our own errors, by the name of its class."""

    kind: str
    problem: str
    mend: str


class Broken(msgspec.Struct, tag=True, frozen=True):
    """An error that is none of ours, with its traceback."""

    traceback: str


def _extended(value: object) -> object:
    if isinstance(value, np.ndarray):
        data = value.ravel().tolist() if value.dtype == object else value.tobytes()
        return msgspec.msgpack.Ext(_ARRAY, msgspec.msgpack.encode((datatype(value), value.shape, data)))
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a message cannot hold {type(value).__name__}")


def _restored(code: int, data: memoryview) -> object:
    if code != _ARRAY:
        raise ValueError(f"a message holds the unknown extension {code}")
    name, shape, content = msgspec.msgpack.decode(data)
    if name == "BYTES":
        flat = np.empty(len(content), object)
        flat[:] = content
        return flat.reshape(shape)
    return np.frombuffer(content, DTYPES[name]).reshape(shape)


_encoder = msgspec.msgpack.Encoder(enc_hook=_extended)
_questions: msgspec.msgpack.Decoder[Explain | LetGo] = msgspec.msgpack.Decoder(Explain | LetGo, ext_hook=_restored)
_answers: msgspec.msgpack.Decoder[Explained | Refused | Broken] = msgspec.msgpack.Decoder(
    Explained | Refused | Broken, ext_hook=_restored
)


def send(pipe: IO[bytes], message: msgspec.Struct) -> None:
    """Write a message. Raises OSError where nobody reads any longer."""
    content = _encoder.encode(message)
    pipe.write(len(content).to_bytes(_LENGTH_BYTES, "little"))
    pipe.write(content)
    pipe.flush()


def question(pipe: IO[bytes]) -> Explain | LetGo:
    """The next one to the process that explains. Raises EOFError at the end."""
    return _questions.decode(_frame(pipe))


def answer(pipe: IO[bytes]) -> Explained | Refused | Broken:
    """The next one of the process that explains. Raises EOFError at the end, ValueError for what is no message."""
    return _answers.decode(_frame(pipe))


def explained(explanation: Explanation) -> Explained:
    """An explanation as it is sent."""
    attribution = explanation.attribution
    return Explained({**vars(explanation), "attribution": vars(attribution)})


def explanation(told: Explained) -> Explanation:
    """An explanation as it was sent."""
    fields = told.fields
    spans = tuple((begin, end) for begin, end in fields["spans"])
    made = {"attribution": Attribution(**fields["attribution"]), "spans": spans, "names": tuple(fields["names"])}
    return Explanation(**{**fields, **made})


def refused(raised: GlassworksError) -> Refused:
    """An error as it is sent: by its own class, or the nearest one that both sides know."""
    kind = next(kind.__name__ for kind in type(raised).__mro__ if hasattr(errors, kind.__name__))
    return Refused(kind, raised.problem, raised.mend)


def error(told: Refused) -> GlassworksError:
    """An error as it was raised."""
    kind: type[GlassworksError] = getattr(errors, told.kind)
    return kind(told.problem, told.mend)


def _frame(pipe: IO[bytes]) -> bytes:
    length = int.from_bytes(_exactly(pipe, _LENGTH_BYTES), "little")
    if length > _LARGEST:
        raise ValueError("something else than a message was written")
    return _exactly(pipe, length)


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    content = pipe.read(count)
    if len(content) < count:
        raise EOFError
    return content
