"""JSON that is read with bounded work: how many values it has is known before one of them becomes an object.

The parser holds the interpreter until it is done, on whichever thread: what takes long is refused, or read in parts.
"""

from __future__ import annotations

import codecs
import gc
import math
import reprlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from glassworks.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glassworks.contracts import Array

LARGE_BYTES = 2**18
"""What is larger is read beside the event loop."""
MAX_VALUES = 2**22
"""Numbers in one JSON text that become objects: at most 130 MB, and some 0.1 s of the interpreter."""
MAX_TEXTS = 2**16
"""Of a request: each has a row, and may have an answer of many numbers."""
CONTAINER_VALUES = 8
"""A list or an object takes as much as so many numbers, a text as two."""
_BLOCK_BYTES = 2**20
_PART_BYTES = 2**17
_PART_NUMBERS = 2**15
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""With them UTF-32 of one order begins as well; the other one, and text without a mark, has zeros."""
Buffer = bytes | bytearray | memoryview


def check_values(content: Buffer, what: str, numbers_too: bool = True) -> None:
    """Raise InputError for JSON of too many values; only its lists, objects and texts count without `numbers_too`."""
    if len(content) <= LARGE_BYTES:
        return
    numbers, others = _counted(content)
    counted = numbers + others if numbers_too else others
    if counted > MAX_VALUES:
        raise InputError(
            f"{what} holds {counted} JSON values, where a list counts as {CONTAINER_VALUES} and a text as 2",
            f"send at most {MAX_VALUES}, flat lists instead of nested ones, or the tensors' bytes",
        )


def _counted(content: Buffer) -> tuple[int, int]:
    """Values by their commas; lists, objects and texts by their signs, those inside of texts as well."""
    opened = _number_of(b"[", content) + _number_of(b"{", content)
    return _number_of(b",", content) + 1, CONTAINER_VALUES * opened + _number_of(b'"', content)


def _number_of(sign: bytes, content: Buffer) -> int:
    """How often a byte occurs; others have the interpreter meanwhile."""
    text, code = np.frombuffer(content, np.uint8), ord(sign)
    blocks = (text[begin : begin + _BLOCK_BYTES] for begin in range(0, len(text), _BLOCK_BYTES))
    return sum(int(np.count_nonzero(block == code)) for block in blocks)


def plain_text(content: Buffer) -> bytes:
    """JSON without a byte order mark, which readers may leave out (RFC 8259, 8.1). Call it for what cannot be read.

    Raises InputError for UTF-16 and UTF-32: text is UTF-8 between machines.
    """
    text = bytes(content)
    head = text[:4]
    if head[:2] in _WIDE_MARKS or (len(head) == 4 and b"\0" in head):
        raise InputError("the body is UTF-16 or UTF-32 text, not UTF-8", "save the file as UTF-8 and send it again")
    return text.removeprefix(codecs.BOM_UTF8)


def json_object(content: bytes | bytearray) -> dict[str, Any]:
    """A JSON object; nothing is an empty one. Raises InputError."""
    check_values(content, "the body")
    value = _decoded(content, "the body is not valid JSON", "send a JSON object") if content.strip() else {}
    if not isinstance(value, dict):
        raise InputError("the body is not a JSON object", "send a JSON object, or nothing")
    return value


def _decoded(content: Buffer, problem: str, mend: str, kind: Any = Any) -> Any:
    # The collector would look at all new objects again and again, of which none can be garbage yet.
    collecting = len(content) > LARGE_BYTES and gc.isenabled()
    if collecting:
        gc.disable()
    try:
        try:
            return msgspec.json.decode(content, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return msgspec.json.decode(plain_text(content), type=kind)
    except RecursionError:
        raise InputError(f"{problem}: it is nested too deeply", f"{mend}, nested as deep as its shape") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{problem}: {error}", mend) from None
    finally:
        if collecting:
            gc.enable()


def flat(data: msgspec.Raw, name: str, datatype: str, shape: Sequence[int], kinds: tuple[type, ...]) -> list[Any]:
    """Nested or flat data as one list. Raises InputError for another kind of element."""
    check_values(memoryview(data), f"the data of '{name}'")
    level = _list(memoryview(data), name)
    for _ in shape:
        if not any(isinstance(value, list) for value in level):
            break
        if not all(isinstance(value, list) for value in level):
            raise InputError(f"the data of '{name}' is nested unevenly", "nest it as its shape, or not at all")
        level = [value for part in level for value in part]
    _check_kinds(level, name, datatype, kinds)
    return level


def numbers(
    data: msgspec.Raw, name: str, datatype: str, dtype: np.dtype[Any], shape: Sequence[int], kinds: tuple[type, ...]
) -> Array:
    """Many numbers without nesting, read in parts. Raises InputError."""
    text, count = bytes(data), math.prod(shape)
    given = _number_of(b",", text) + 1
    if given != count:
        raise count_error(name, shape, given, count)
    array: Array = np.empty(count, dtype)
    position = 0
    for part in _parts(text):
        values = _list(part, name)
        _check_kinds(values, name, datatype, kinds)
        array[position : position + len(values)] = numbers_of(values, name, datatype, dtype)
        position += len(values)
    if position != count:
        raise count_error(name, shape, position, count)
    return array


def is_long_and_flat(data: msgspec.Raw) -> bool:
    """Whether data is so large that it is better read in parts, and can be."""
    return len(memoryview(data)) > LARGE_BYTES and _number_of(b"[", memoryview(data)) == 1


def _parts(text: bytes) -> Iterator[bytes]:
    begin, end = 1, len(text) - 1
    while begin < end:
        cut = text.find(b",", begin + _PART_BYTES, end)
        cut = end if cut < 0 else cut
        yield b"[%b]" % text[begin:cut]
        begin = cut + 1


def _list(data: Buffer, name: str) -> list[Any]:
    found: list[Any] = _decoded(data, f"the data of '{name}' is not valid", "send a list", list)
    return found


def _check_kinds(values: Sequence[Any], name: str, datatype: str, kinds: tuple[type, ...]) -> None:
    for value in values:
        if type(value) not in kinds:
            raise InputError(
                f"the data of '{name}' holds {reprlib.repr(value)}, which is not {datatype}",
                f"send {datatype} values, flat or nested as the shape",
            )


def numbers_of(values: Sequence[Any], name: str, datatype: str, dtype: np.dtype[Any]) -> NDArray[Any]:
    """JSON has no infinity: what would become one in a narrower type is refused."""
    try:
        with np.errstate(over="raise"):
            return np.array(values, dtype)
    except (OverflowError, FloatingPointError, ValueError):
        raise InputError(
            f"the input '{name}' holds numbers that do not fit {datatype}", "send another datatype"
        ) from None


def check_texts(count: int, name: str) -> None:
    """Raise InputError for more texts than a request may hold."""
    if count > MAX_TEXTS:
        raise InputError(f"the input '{name}' has {count} texts, at most {MAX_TEXTS} are allowed", "send fewer rows")


def long_list(values: NDArray[Any]) -> msgspec.Raw:
    """Many numbers as a JSON list, written in parts."""
    flat, step = values.ravel(), _PART_NUMBERS
    parts = [msgspec.json.encode(flat[begin : begin + step].tolist())[1:-1] for begin in range(0, len(flat), step)]
    return msgspec.Raw(b"[%b]" % b",".join(parts))


def count_error(name: str, shape: Sequence[int], given: int, wanted: int) -> InputError:
    """Shape and data differ."""
    return InputError(
        f"the input '{name}' has {given} elements, its shape {list(shape)} needs {wanted}",
        "make shape and data agree",
    )
