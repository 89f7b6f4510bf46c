"""The JSON schema of the items of an eval: what it says is checked with bounded work, and nothing is fetched for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from glassworks.errors import MissingLibrary
from glassworks.serving.failures import WrongParameter

_MOST_BYTES, _MOST_DEEP, _MOST_PARTS = 65_536, 40, 5000
_REFUSED = ("$dynamicRef", "$recursiveRef", "$dynamicAnchor", "$recursiveAnchor", "$anchor")
_NAMES = ("$schema", "$id", "$defs", "definitions", "$comment")
"""What means nothing once references are written out."""
_MEND = "give the JSON schema of one item, an object with properties"
Check = Callable[[Mapping[str, Any]], str]
"""What is wrong with an item; empty for nothing."""


def checker(schema: object, where: str) -> Check:
    """Raises WrongParameter for what is no schema, for one that is too large, refers to itself, or to other places."""
    if not isinstance(schema, dict):
        raise WrongParameter(f"{where} is {schema!r:.100}", _MEND, where)
    try:
        size = len(msgspec.json.encode(schema))
    except RecursionError:
        raise WrongParameter(f"{where} is nested too deeply", "write it out flat", where) from None
    if size > _MOST_BYTES:
        raise WrongParameter(f"{where} has more than {_MOST_BYTES:,} bytes", _MEND, where)
    plain = _Plain(schema, where).of(schema, 0)
    try:
        import jsonschema_rs
    except ModuleNotFoundError:
        raise MissingLibrary("schemas of items need jsonschema-rs", "pip install 'glassworks[language]'") from None
    try:
        validator = jsonschema_rs.validator_for(plain, pattern_options=jsonschema_rs.RegexOptions())
    except ValueError as error:
        raise WrongParameter(f"{where} is no JSON schema: {error!s:.150}", _MEND, where) from None

    def check(item: Mapping[str, Any]) -> str:
        for error in validator.iter_errors(item):
            at = ".".join(map(str, error.instance_path)) or "it"
            return f"{at}: {error.message}"[:200]
        return ""

    return check


class _Plain:
    """A schema with its references written out."""

    def __init__(self, schema: Mapping[str, Any], where: str) -> None:
        self._schema, self._where, self._parts = schema, where, 0

    def of(self, part: Any, depth: int) -> Any:
        """A part of it."""
        self._parts += 1
        if depth > _MOST_DEEP or self._parts > _MOST_PARTS:
            raise self._wrong("is nested too deeply, refers to itself, or has too many parts", "write it out flat")
        if isinstance(part, list):
            return [self.of(each, depth + 1) for each in part]
        if not isinstance(part, dict):
            return part
        for name in _REFUSED:
            if name in part:
                raise self._wrong(f"has {name}", "refer with $ref to $defs")
        rest = {name: self.of(each, depth + 1) for name, each in part.items() if name not in ("$ref", *_NAMES)}
        if isinstance(part.get("$ref"), str):
            return {**self.of(self._named(part["$ref"]), depth + 1), **rest}
        return rest

    def _named(self, reference: str) -> dict[str, Any]:
        found: Any = self._schema
        steps = reference.split("/")
        for step in steps[1:] if steps[0] == "#" else [""]:
            found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
        if not isinstance(found, dict):
            raise self._wrong(f"refers to {reference[:80]!r}", "refer to what is in the schema: #/$defs/NAME")
        return found

    def _wrong(self, what: str, mend: str) -> WrongParameter:
        return WrongParameter(f"{self._where} {what}", mend, self._where)
