"""A JSON schema as a grammar whose texts are JSON that meets it, with bounded whitespace, in XGrammar's EBNF.

The compiler's own conversion lets whitespace run on forever and leaves out keywords that it does not know. Here what is
not known is refused by name, and the texts may be fewer than all that meet the schema, never others: properties come in
their order, further ones only where nothing else is said, and numbers are written without exponents.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from glassworks.language.number_grammar import MOST_DIGITS, real, whole
from glassworks.language.schema_keywords import check_disjoint, keywords_of, refuse, resolved
from glassworks.language.string_grammar import CHARACTER, FORMATS, character_rule, literal, matching, sized

_BASE = f"""ws ::= (" " | "\\n" [ ]{{0,16}})?
{CHARACTER} ::= {character_rule()}
string ::= "\\"" {CHARACTER}* "\\""
number ::= {real(None, None)}
integer ::= {whole(None, None)}
boolean ::= "true" | "false"
null ::= "null"
pair ::= string ws ":" ws value
object ::= "{{" ws (pair ws ("," ws pair ws)*)? "}}"
array ::= "[" ws (value ws ("," ws value ws)*)? "]"
value ::= object | array | string | number | boolean | null
"""

_PAST_BOUNDS = 10**MOST_DIGITS


def grammar_of(schemas: Mapping[str, Any]) -> str:
    """Rules for each schema by the name of its rule, and those they need. Raises InputError."""
    return "\n".join(rule for name, schema in schemas.items() for rule in _Rules(name, schema).lines()) + "\n" + _BASE


class _Rules:
    def __init__(self, name: str, schema: Any) -> None:
        self._name, self._root = name, schema
        self._rules: dict[str, str] = {}
        self._named: dict[str, str] = {}

    def lines(self) -> list[str]:
        self._rules[self._name] = ""
        self._named["#"] = self._name
        self._rules[self._name] = self._of(self._root, "#")
        return [f"{name} ::= {body}" for name, body in self._rules.items()]

    def _rule(self, body: str) -> str:
        name = f"{self._name}{len(self._rules)}"
        self._rules[name] = body
        return name

    def _referred(self, pointer: str) -> str:
        """The rule of a schema that others refer to; it may refer to itself."""
        if pointer not in self._named:
            name = self._named[pointer] = self._rule("")
            self._rules[name] = self._of(resolved(self._root, pointer), pointer)
        return self._named[pointer]

    def _of(self, schema: Any, where: str) -> str:
        """An expression."""
        if schema is True or schema == {}:
            return "value"
        known = keywords_of(schema, where)
        if known.reference:
            return self._referred(known.reference)
        if known.values is not None:
            return " | ".join(literal(json.dumps(value, ensure_ascii=False)) for value in known.values)
        if known.branches:
            if "oneOf" in schema:
                check_disjoint(known.branches, self._root, where)
            return " | ".join(f"({self._of(each, f'{where}/{index}')})" for index, each in enumerate(known.branches))
        return " | ".join(f"({self._typed(kind, schema, where)})" for kind in known.types)

    def _typed(self, kind: str, schema: Mapping[str, Any], where: str) -> str:
        if kind == "object":
            return self._object(schema, where)
        if kind == "array":
            return self._array(schema, where)
        if kind == "string":
            return _string(schema, where)
        return _number(kind, schema, where) if kind in ("integer", "number") else kind

    def _object(self, schema: Mapping[str, Any], where: str) -> str:
        properties, required = dict(schema.get("properties", {})), list(schema.get("required", ()))
        further = schema.get("additionalProperties", True)
        for name in required:
            if properties.setdefault(name, further) is False:
                refuse(where, f"requires '{name:.100}', which it forbids", "give its schema in properties")
        if not properties:
            return self._map(further, where)
        pairs = [
            f'{literal(json.dumps(name, ensure_ascii=False))} ws ":" ws {self._grouped(each, f"{where}/{name}")} ws'
            for name, each in properties.items()
        ]
        later, first = '""', '""'
        for pair, name in reversed(list(zip(pairs, properties, strict=True))):
            optional = name not in required
            first = f"{pair} {later}" + (f" | {first}" if optional else "")
            later = self._rule(f'"," ws {pair} {later}' + (f" | {later}" if optional else ""))
            first = self._rule(first)
        return f'"{{" ws {first} "}}"'

    def _map(self, further: Any, where: str) -> str:
        if further is False:
            return '"{" ws "}"'
        pair = self._rule(f'string ws ":" ws {self._grouped(further, f"{where}/additionalProperties")} ws')
        return f'"{{" ws ({pair} ("," ws {pair})*)? "}}"'

    def _array(self, schema: Mapping[str, Any], where: str) -> str:
        items, fixed = schema.get("items", True), list(schema.get("prefixItems", ()))
        least, most = int(schema.get("minItems", 0)), schema.get("maxItems")
        heads = [self._grouped(each, f"{where}/{index}") for index, each in enumerate(fixed)]
        if (most is not None and most < least) or (items is False and least > len(fixed)):
            refuse(where, f"wants at least {least} items", "mend minItems and maxItems")
        if heads and (least < len(heads) or (most is not None and most < len(heads))):
            least = len(heads)
        rest = "" if items is False or most == len(heads) else self._rule(self._of(items, f"{where}/items"))
        parts = [f"{head} ws" for head in heads]
        body = ' "," ws '.join(parts)
        if rest:
            body = self._items(rest, body, least - len(heads), None if most is None else most - len(heads))
        return f'"[" ws {body} "]"'

    def _items(self, rest: str, heads: str, least: int, most: int | None) -> str:
        """Further items after the first ones."""
        bound = "" if most is None else most - (not heads)
        more = f'("," ws {rest} ws){{{max(least - (not heads), 0)},{bound}}}'
        if heads:
            return f"{heads} {more}"
        return f"{rest} ws {more}" if least else f"({rest} ws {more})?"

    def _grouped(self, schema: Any, where: str) -> str:
        return f"({self._of(schema, where)})"


def _string(schema: Mapping[str, Any], where: str) -> str:
    least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
    pattern, form = schema.get("pattern"), schema.get("format")
    if pattern is None and form is None:
        return sized(least, most) if least or most is not None else "string"
    if least or most is not None or (pattern is not None and form is not None):
        refuse(where, "has more than one of length, pattern and format", "keep one of them")
    if pattern is None and form not in FORMATS:
        refuse(where, f"has the format {form!r:.100}", f"formats are {', '.join(FORMATS)}; or give a pattern")
    return matching(str(pattern if pattern is not None else FORMATS[str(form)]))


def _number(kind: str, schema: Mapping[str, Any], where: str) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    bounds = [each for each in (least, most, above, below) if each is not None]
    if any(isinstance(each, bool) or not isinstance(each, int | float) or each % 1 for each in bounds):
        refuse(where, "has a bound of numbers that is not whole", "give whole bounds")
    if any(abs(each) >= _PAST_BOUNDS for each in bounds):
        refuse(where, f"has a bound of numbers of more than {MOST_DIGITS} digits", "leave it out: none is written")
    low = max((int(each) for each in (least, above) if each is not None), default=None)
    high = min((int(each) for each in (most, below) if each is not None), default=None)
    open_low, open_high = above is not None and above == low, below is not None and below == high
    if kind == "number":
        found = real(low, high, open_least=open_low, open_most=open_high)
    else:
        found = whole(None if low is None else low + open_low, None if high is None else high - open_high)
    if not found:
        refuse(where, "has bounds between which there is no number", "mend minimum and maximum")
    return found
