"""What people ask: a user, a history of items, or both, with rules."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, ValidationError

from glassworks.errors import InputError
from glassworks.record import Record

Number = Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)]
Name = Annotated[StrictStr, Field(max_length=1000)]  # which also refuses halves of surrogate pairs
Id = Number | Name
Value = StrictBool | StrictInt | StrictFloat | StrictStr
MOST = 1000
_R = TypeVar("_R", bound=Record)
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
    """Liked items, beside those known of the user."""
    features: dict[str, Value | tuple[Value, ...]] = {}
    """What a user is, by columns of the table of users: it answers where nothing is known of what the user likes."""
    similar_to: Id | None = None
    """An item: recommends those that people like with it, whoever asks."""
    k: Annotated[StrictInt, Field(ge=1, le=MOST)] = 10
    allow: tuple[Id, ...] | None = None
    """Only these items."""
    deny: tuple[Id, ...] = ()
    where: dict[str, Condition] = {}
    """Conditions on columns of the item table: a value, a list of values, or a range; all must hold."""
    seen: Literal["exclude", "include", "only"] = "exclude"
    boost: tuple[Boost, ...] = ()
    diversity: float = Field(default=0.0, ge=0, le=1)
    """0 ranks by score alone, 1 by difference from the items above (maximal marginal relevance)."""
    reasons: Annotated[StrictInt, Field(ge=0, le=100)] = 3
    """Items of the history to name for each recommendation."""


def parse(value: Any) -> Request:
    """A request of bytes or text. Raises InputError with the key that is wrong."""
    text = _text(value).strip()
    if not text:
        raise InputError("the request is empty", _FORM)
    if not text.startswith(("{", "[", '"')):
        return checked(Request, {"user": int(text) if _whole(text) else text}, "the request", _FORM)
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the request is no JSON: {str(error)[:200]}", _FORM) from None
    if isinstance(table, str):
        table = {"user": table}
    if not isinstance(table, dict):
        raise InputError("the request is no JSON object", _FORM)
    return checked(Request, table, "the request", _FORM)


def _whole(text: str) -> bool:
    """Whether a number would be written just so: `00007` is no number."""
    return text.isascii() and text.removeprefix("-").isdecimal() and len(text) <= 18 and str(int(text)) == text


def _text(value: Any) -> str:
    try:
        return value.decode("utf-8-sig") if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError as error:
        raise InputError(f"the request is not valid UTF-8: byte {error.start}", "send JSON in UTF-8") from None


def checked(record: type[_R], table: Any, what: str, mend: str) -> _R:
    """`table` as a record. Raises InputError with the key that is wrong."""
    try:
        return record.model_validate(table)
    except ValidationError as error:
        # Of several types that were tried, the one that fits farthest is meant.
        fault = max(error.errors(), key=lambda each: len(each["loc"]))
    # Between keys stand the names of the types that were tried.
    path = ".".join(str(part) for part in fault["loc"] if isinstance(part, int) or str(part) in _keys(table))[:200]
    if fault["type"] == "extra_forbidden":
        raise InputError(f"{what} has the unknown key '{path}'", f"keys: {', '.join(record.model_fields)}")
    if fault["type"] == "missing":
        raise InputError(f"{what} lacks '{'.'.join(filter(None, (path, str(fault['loc'][-1]))))}'", mend)
    message = fault["msg"].replace("Input should be", "it must be")
    raise InputError(f"{what}'s '{path}' is {fault['input']!r:.80}: {message}", mend)


def _keys(table: Any) -> set[str]:
    """All keys, at any depth."""
    if isinstance(table, dict):
        return {*map(str, table), *(key for value in table.values() for key in _keys(value))}
    return {key for value in table for key in _keys(value)} if isinstance(table, list) else set()
