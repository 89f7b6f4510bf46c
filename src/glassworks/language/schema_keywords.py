"""What a JSON schema says in words that are known; anything else is refused by its name and place."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NoReturn

from glassworks.errors import InputError

TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_OF_TYPE: Mapping[str, tuple[str, ...]] = {
    "object": ("properties", "required", "additionalProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems"),
    "string": ("minLength", "maxLength", "pattern", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
}
_BRANCHES = ("anyOf", "oneOf", "allOf")
_NOTES = frozenset(("title", "description", "default", "examples", "$schema", "$id", "$comment", "$defs")).union(
    ("definitions", "deprecated", "readOnly", "writeOnly", "discriminator")
)
_KNOWN = _NOTES.union(("type", "enum", "const", "$ref"), _BRANCHES, *_OF_TYPE.values())
_SHAPES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("properties", "$defs", "definitions"), (Mapping,)),
    **dict.fromkeys(("required", "prefixItems", "enum", *_BRANCHES), (list,)),
    **dict.fromkeys(("minItems", "maxItems", "minLength", "maxLength"), (int,)),
    **dict.fromkeys(("pattern", "format", "$ref"), (str,)),
}
_MOST_COUNT = 4096
_MOST_ONE_OF = 128
"""Each is compared with each."""
_INDEX = re.compile(r"[0-9]{1,9}", re.ASCII)


def refuse(where: str, problem: str, mend: str) -> NoReturn:
    """Raise InputError for the schema at `where`."""
    raise InputError(f"the JSON schema at {where[:200]} {problem}", mend)


@dataclass(frozen=True, kw_only=True)
class Keywords:
    """What decides the form of one schema: a `reference` to another, `values`, `branches` or `types`."""

    reference: str = ""
    values: Sequence[Any] | None = None
    branches: Sequence[Any] = ()
    types: Sequence[str] = ()


def keywords_of(schema: Any, where: str) -> Keywords:
    """Raises InputError for what is not known."""
    if schema is False:
        refuse(where, "allows nothing", "leave it out, or say what it allows")
    if not isinstance(schema, Mapping):
        refuse(where, f"is {schema!r:.100}", "give an object, or true")
    _check(schema, where)
    found = [word for word in ("$ref", "const", "enum", *_BRANCHES) if word in schema]
    if not found:
        return Keywords(types=_types(schema, where))
    beside = set(schema) - _NOTES - {found[0]} - ({"type"} if found[0] in ("const", "enum") else set())
    if beside:
        refuse(where, f"has {', '.join(sorted(beside))} beside {found[0]}", f"write them into what {found[0]} names")
    if found[0] == "$ref":
        return Keywords(reference=schema["$ref"])
    if found[0] in ("const", "enum"):
        return Keywords(values=_values(schema, where))
    return Keywords(branches=_branches(schema[found[0]], found[0], where))


def resolved(root: Any, pointer: str) -> Any:
    """The part of a schema that a reference names (RFC 6901). Raises InputError."""
    found = root
    for step in pointer.split("/")[1:] if pointer.startswith("#") else [None]:
        key = step.replace("~1", "/").replace("~0", "~") if step is not None else None
        if isinstance(found, Mapping) and key in found:
            found = found[key]
        elif isinstance(found, list) and _INDEX.fullmatch(str(key)) and int(str(key)) < len(found):
            found = found[int(str(key))]
        else:
            refuse(pointer, "is referred to, but not there", "refer to a part of this schema: #/$defs/NAME")
    return found


def check_disjoint(branches: Sequence[Any], root: Any, where: str) -> None:
    """Raises InputError where a value may meet more than one of `oneOf`, or where they are too many to tell."""
    if len(branches) > _MOST_ONE_OF:
        refuse(
            where, f"has oneOf with {len(branches)} alternatives, at most {_MOST_ONE_OF} can be told apart", "use anyOf"
        )
    for one, other in combinations([_target(each, root) for each in branches], 2):
        if not _disjoint(one, other):
            refuse(where, "has oneOf whose alternatives may be met at once", "use anyOf, or a const that differs")


def _check(schema: Mapping[str, Any], where: str) -> None:
    for word, value in schema.items():
        if word not in _KNOWN:
            refuse(where, f"has the keyword '{word[:100]}', which is not supported", "leave it out")
        shapes = _SHAPES.get(word, (object,))
        if not isinstance(value, shapes) or (shapes == (int,) and not _count(value)):
            refuse(where, f"has {word} of {value!r:.100}", f"see what JSON Schema says of {word}")
    if any(not isinstance(name, str) for name in schema.get("required", ())):
        refuse(where, "requires what is no name", "give a list of texts")


def _count(value: Any) -> bool:
    return not isinstance(value, bool) and 0 <= int(value) <= _MOST_COUNT


def _types(schema: Mapping[str, Any], where: str) -> Sequence[str]:
    """Those it names; else those of which it says anything."""
    named = schema.get("type")
    if named is None:
        return [kind for kind, words in _OF_TYPE.items() if any(word in schema for word in words)] or TYPES
    found = named if isinstance(named, list) else [named]
    for kind in found:
        if kind not in TYPES:
            refuse(where, f"has the type {kind!r:.100}", f"types are {', '.join(TYPES)}")
    if not found:
        refuse(where, "has no type", f"types are {', '.join(TYPES)}")
    return [kind for kind in found if not (kind == "integer" and "number" in found)]


def _values(schema: Mapping[str, Any], where: str) -> Sequence[Any]:
    given = [schema["const"]] if "const" in schema else schema["enum"]
    kinds = _types({"type": schema["type"]}, where) if "type" in schema else TYPES
    found = [value for value in given if any(_is(value, kind) for kind in kinds)]
    if not found:
        refuse(where, "allows no value", "give enum values of its type")
    return found


def _is(value: Any, kind: str) -> bool:
    classes: dict[str, Any] = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
    if kind in classes:
        return isinstance(value, classes[kind])
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and (kind == "number" or value == int(value))


def _branches(value: Sequence[Any], word: str, where: str) -> Sequence[Any]:
    if not value or (word == "allOf" and len(value) > 1):
        refuse(where, f"has {word} of {len(value)} schemas", "write them into one")
    return value


def _target(schema: Any, root: Any) -> Any:
    seen = 0
    while isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str) and seen < 32:
        schema, seen = resolved(root, schema["$ref"]), seen + 1
    return schema if isinstance(schema, Mapping) else {}


def _disjoint(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    types = [_kinds(each) for each in (one, other)]
    if not types[0] & types[1]:
        return True
    values = [_fixed(each) for each in (one, other)]
    if values[0] and values[1] and not values[0] & values[1]:
        return True
    names = [set(each.get("required", ())) & set(each.get("properties", {})) for each in (one, other)]
    shared = ([_target(each["properties"][name], {}) for each in (one, other)] for name in names[0] & names[1])
    return any(_disjoint(*each) for each in shared)


def _kinds(schema: Mapping[str, Any]) -> set[str]:
    named = schema.get("type", TYPES)
    kinds = {named} if isinstance(named, str) else set(named)
    return kinds | {"integer"} if "number" in kinds else kinds


def _fixed(schema: Mapping[str, Any]) -> set[str]:
    values = [schema["const"]] if "const" in schema else schema.get("enum", [])
    return {json.dumps(value, sort_keys=True) for value in values}
