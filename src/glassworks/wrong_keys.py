"""What is wrong with a table's keys, in the words of whoever writes a job file."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from glassworks.errors import ConfigError
from glassworks.locations import records_of

_WORDS = {
    "Input should": "it should",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid boolean": "true or false",
    "a valid string": "a text in quotes",
    "a valid tuple": "a list",
}
"""What pydantic says of Python's types, as a job file has them."""


def config_error(record: type[BaseModel], fault: ErrorDetails, where: str, prefix: str) -> ConfigError:
    """A fault that pydantic found in a table, with its key path, what was given and what is allowed."""
    key = prefix + ".".join(path := key_path(fault))
    if fault["type"] == "extra_forbidden":
        allowed = sorted(_fields(record, path[:-1]))
        near = difflib.get_close_matches(path[-1], allowed, n=1)
        mend = f"allowed here: {', '.join(allowed) or 'nothing'}"
        mend = f"did you mean '{key.removesuffix(path[-1])}{near[0]}'?" if near else mend
        return ConfigError(f"{where}: unknown key '{key}'", mend)
    if fault["type"] == "missing":
        return ConfigError(f"{where}: the key '{key}' is missing", f"add it to the job file: {key} = ...")
    given = f"{fault['input']!r}"[:80]
    if (key, fault["type"]) == ("name", "string_pattern_mismatch"):
        return ConfigError(f"{where}: '{key}' is {given}", "use small letters, digits, '.', '_' and '-': my-model")
    mend = f"set {key} to an allowed value"
    if fault["type"] == "tuple_type":
        mend = f"write {key} = {json.dumps([fault['input']], default=str, ensure_ascii=False)}"
    return ConfigError(f"{where}: '{key}' is {given}: {_plain(fault['msg'])}", mend)


def key_path(fault: ErrorDetails) -> list[str]:
    """Where a fault is, without the `<NAME>` of the one of several types that was tried."""
    return [str(part) for part in fault["loc"] if not str(part).startswith("<")]


def _plain(message: str) -> str:
    plain = message.removeprefix("Value error, ").removeprefix("Input should be ").strip()
    for python, words in _WORDS.items():
        plain = plain.replace(python, words)
    return plain.partition(", unable to ")[0]


def _fields(record: type[BaseModel], path: Sequence[str]) -> set[str]:
    for part in path:
        field = record.model_fields.get(part)
        inner = next(records_of(field.annotation), None) if field else None
        if inner is None:
            return set()
        record = inner
    return set(record.model_fields)
