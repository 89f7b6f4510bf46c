"""The requests of an input file, one a line: all are looked at before the first is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from glassworks.serving.batches.records import LineError

MOST_LINES = 50_000
_MOST_ERRORS = 100
_LONGEST = 200
_ID_LENGTH = 512
_T = TypeVar("_T")
_SPACE = b" \t\r\n"
_KEY = re.compile(r"missing required field `(\w+)`|unknown field `(\w+)`|at `\$\.(\w+)")


class Line(NamedTuple):
    """A request: its line counted from 1, and the bytes of the file that hold it."""

    number: int
    custom_id: str
    begin: int
    size: int


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    custom_id: str
    method: str
    url: str
    body: msgspec.Raw


class _Body(msgspec.Struct):
    model: str
    stream: bool | None = None


class _Wrong(Exception):
    """A line that cannot be asked."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.param = code, message, param


def read_lines(path: Path, endpoint: str) -> tuple[list[Line], list[LineError]]:
    """The requests, and what is wrong with any of them (the first hundred)."""
    found: list[Line] = []
    errors: list[LineError] = []
    seen: dict[str, int] = {}
    for number, begin, content in _contents(path):
        if len(errors) >= _MOST_ERRORS or len(found) >= MOST_LINES:
            break
        try:
            custom_id = _checked(content, endpoint)
            if custom_id in seen:
                raise _Wrong(
                    "duplicate_custom_id",
                    f"the custom_id '{custom_id[:_LONGEST]}' is that of line {seen[custom_id]}; give each its own",
                    "custom_id",
                )
            seen[custom_id] = number
            found.append(Line(number, custom_id, begin, len(content)))
        except _Wrong as wrong:
            errors.append(LineError(code=wrong.code, message=wrong.message, line=number, param=wrong.param))
    else:
        if not found and not errors:
            errors.append(LineError(code="empty_file", message="the file holds no requests; send one a line"))
        return found, errors
    if len(errors) < _MOST_ERRORS:
        errors.append(
            LineError(code="too_many_requests", message=f"at most {MOST_LINES:,} requests; send several files")
        )
    return found, errors


def body_of(path: Path, line: Line) -> bytes:
    """The body of a request."""
    with path.open("rb") as file:
        file.seek(line.begin)
        return bytes(msgspec.json.decode(file.read(line.size), type=_Request).body)


def _contents(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Number, first byte and content of each line that is not blank."""
    begin = 0
    with path.open("rb") as file:
        for number, content in enumerate(file, 1):
            if content.strip(_SPACE):
                yield number, begin, content
            begin += len(content)


def _checked(content: bytes, endpoint: str) -> str:
    """The `custom_id` of a request that can be asked. Raises _Wrong."""
    request = _decoded(content, _Request, "")
    if not 0 < len(request.custom_id) <= _ID_LENGTH:
        raise _Wrong("invalid_custom_id", f"give a custom_id of 1 to {_ID_LENGTH} characters", "custom_id")
    if request.method != "POST":
        raise _Wrong("invalid_method", f"the method is '{request.method[:_LONGEST]}'; send POST", "method")
    if request.url != endpoint:
        raise _Wrong(
            "mismatched_url", f"the url is '{request.url[:_LONGEST]}'; the batch is for {endpoint} alone", "url"
        )
    body = _decoded(bytes(request.body), _Body, "body.")
    if not body.model:
        raise _Wrong("missing_required_parameter", "the body names no model", "body.model")
    if body.stream:
        raise _Wrong("unsupported_parameter", "answers of a batch are not streamed; leave stream out", "body.stream")
    return request.custom_id


def _decoded(content: bytes, kind: type[_T], where: str) -> _T:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        named = _KEY.search(str(error))
        param = where + next(filter(None, named.groups())) if named else None
        problem = f"{where.rstrip('.') or 'the line'}: {str(error)[:_LONGEST]}"
        raise _Wrong("invalid_request", f"{problem}; give custom_id, method, url and body", param) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _Wrong("invalid_json_line", f"the line is not valid JSON: {str(error)[:_LONGEST]}") from None
