"""What people ask: a user, a history of items, or both, with rules."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, ValidationError

from glassworks.contracts import Record
from glassworks.errors import InputError

Id = StrictInt | StrictStr
Value = StrictBool | StrictInt | StrictFloat | StrictStr
MOST = 1000
_FORM = 'send a user id, or for example {"user": 7, "k": 10} or {"history": [1, 2], "k": 10}'


class Range(Record):
    """A column's value from `min` to `max`, both included; an item without a value is outside."""

    min: float | None = Field(default=None, allow_inf_nan=False)
    max: float | None = Field(default=None, allow_inf_nan=False)


Condition = Range | tuple[Value, ...] | Value


class Liked(Record):
    """An item of a history; weight 0 says that it was met and not liked."""

    item: Id
    weight: float = Field(default=1.0, ge=0, allow_inf_nan=False)


class Boost(Record):
    """Multiplies the scores of some items, named or by their columns: above 1 they rise, below 1 they fall."""

    factor: float = Field(ge=0, le=100, allow_inf_nan=False)
    items: tuple[Id, ...] = ()
    where: dict[str, Condition] = {}


class Request(Record):
    """One row of the input."""

    user: Id | None = None
    history: tuple[Id | Liked, ...] = ()
    """Items that are liked beside those known of the user."""
    similar_to: Id | None = None
    """An item: then those that people like with it, whoever asks."""
    k: Annotated[StrictInt, Field(ge=1, le=MOST)] = 10
    allow: tuple[Id, ...] | None = None
    """Only these items."""
    deny: tuple[Id, ...] = ()
    where: dict[str, Condition] = {}
    """Conditions on columns of the item table: a value, several, or a range; all must hold."""
    seen: Literal["exclude", "include", "only"] = "exclude"
    boost: tuple[Boost, ...] = ()
    diversity: float = Field(default=0.0, ge=0, le=1)
    """0 is by score alone, 1 by difference from what stands above (maximal marginal relevance)."""
    reasons: Annotated[StrictInt, Field(ge=0, le=100)] = 3
    """Items of the history to name for each recommendation."""


def parse(value: Any) -> Request:
    """A request of bytes or text. Raises InputError with the key that is wrong."""
    text = _text(value).strip()
    if not text:
        raise InputError("the request is empty", _FORM)
    if not text.startswith(("{", "[", '"')):
        return Request(user=int(text) if _whole(text) else text)
    try:
        table = json.loads(text)
    except ValueError as error:
        raise InputError(f"the request is no JSON: {error}", _FORM) from None
    if isinstance(table, str):
        return Request(user=table)
    if not isinstance(table, dict):
        raise InputError("the request is no JSON object", _FORM)
    try:
        return Request.model_validate(table)
    except ValidationError as error:
        raise _input_error(error) from None


def _whole(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdecimal() and len(text) <= 19


def _text(value: Any) -> str:
    try:
        return value.decode("utf-8-sig") if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError as error:
        raise InputError(f"the request is not valid UTF-8: byte {error.start}", "send JSON in UTF-8") from None


def _input_error(error: ValidationError) -> InputError:
    fault = error.errors()[0]
    path = [str(part) for part in fault["loc"]]
    if fault["type"] == "extra_forbidden":
        allowed = ", ".join(Request.model_fields)
        return InputError(f"the request has the unknown key '{'.'.join(path)[:200]}'", f"keys of a request: {allowed}")
    given = f"{fault['input']!r}"[:80]
    message = fault["msg"].replace("Input should be", "it must be").replace("Value error, ", "")
    return InputError(f"the request's '{'.'.join(path)[:200]}' is {given}: {message}", _FORM)
