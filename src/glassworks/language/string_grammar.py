"""Grammars of JSON strings, by length, pattern or format, in XGrammar's EBNF."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from glassworks.errors import InputError

CHARACTER = "character"
"""The rule of one character in a JSON string."""
_MOST_REPEATS = 4096
_ESCAPES: Mapping[int, str] = {8: "b", 9: "t", 10: "n", 12: "f", 13: "r", 34: '"', 92: "\\"}
_DATE, _TIME = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])", r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d"
FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "date": f"^{_DATE}$",
        "time": f"^{_TIME}Z$",
        "date-time": f"^{_DATE}T{_TIME}Z$",
        "uuid": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        "email": r"^[a-z0-9]{1,20}([._-][a-z0-9]{1,20}){0,2}@[a-z0-9]{1,40}(\.[a-z]{2,20}){1,3}$",
        "ipv4": r"^((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)$",
        "uri": r"^https?://[a-z0-9]{1,40}([.-][a-z0-9]{1,40}){0,4}(/[a-zA-Z0-9._~-]{0,60}){0,8}$",
    }
)
"""Each matches only texts of the format, though not all of them."""


def character_rule() -> str:
    """A character as it stands, or escaped; no half of a surrogate pair."""
    hexadecimal = "[0-9a-fA-F]"
    escape = f'"u" ([0-9a-cA-CefEF] {hexadecimal}{{3}} | [dD] [0-7] {hexadecimal}{{2}})'
    return f'{" | ".join(_brackets(_complement((), ascii_only=False)))} | "\\\\" (["\\\\/bfnrt] | {escape})'


def sized(least: int, most: int | None) -> str:
    """Strings of `least` to `most` characters."""
    return f'"\\"" {CHARACTER}{{{least},{"" if most is None else most}}} "\\""'


def matching(pattern: str) -> str:
    """Strings in which a regular expression finds something. Raises InputError for one that is not known here."""
    try:
        return _strings(list(re._parser.parse(pattern)), pattern)  # type: ignore[attr-defined]
    except (re.error, RecursionError, OverflowError) as error:
        raise InputError(f"the pattern {pattern!r:.100} cannot be read: {error}", "give a regular expression") from None


def _strings(tree: list[Any], pattern: str) -> str:
    starts = bool(tree) and str(tree[0][0]) == "AT" and str(tree[0][1]) in ("AT_BEGINNING", "AT_BEGINNING_STRING")
    ends = bool(tree) and str(tree[-1][0]) == "AT" and str(tree[-1][1]) in ("AT_END", "AT_END_STRING")
    body = _sequence(tree[starts : len(tree) - (ends and len(tree) > starts)], pattern)
    around = [f"{CHARACTER}*" if not each else "" for each in (starts, ends)]
    return " ".join(part for part in ('"\\""', around[0], body, around[1], '"\\""') if part)


def literal(text: str) -> str:
    """A text as it stands, quoted."""
    return '"' + "".join(_quoted(ord(letter)) for letter in text) + '"'


def _sequence(tree: Iterable[Any], pattern: str) -> str:
    return " ".join(_node(str(name), value, pattern) for name, value in tree) or '""'


def _node(name: str, value: Any, pattern: str) -> str:
    if name == "LITERAL":
        return _letter(value)
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        least, most, body = value
        unbounded = str(most) == "MAXREPEAT"
        if least > _MOST_REPEATS or (not unbounded and int(most) > _MOST_REPEATS):
            raise InputError(f"the pattern {pattern!r:.100} repeats more than {_MOST_REPEATS} times", "repeat less")
        return f"({_sequence(body, pattern)}){{{least},{'' if unbounded else int(most)}}}"
    if name == "SUBPATTERN":
        return f"({_sequence(value[3], pattern)})"
    if name == "BRANCH":
        return "(" + " | ".join(_sequence(each, pattern) for each in value[1]) + ")"
    if name == "ANY":
        return _class([("NEGATE", None), *(("LITERAL", code) for code in _LINE_ENDS)], pattern)
    if name in ("IN", "NOT_LITERAL"):
        found = [("NEGATE", None), ("LITERAL", value)] if name == "NOT_LITERAL" else value
        return _class([(str(kind), each) for kind, each in found], pattern)
    raise InputError(
        f"the pattern {pattern!r:.100} has what is not supported: {name.lower()}",
        "use letters, classes, groups, alternatives and repeats; ^ at its beginning and $ at its end",
    )


_FIRST_BYTES = (0, 0x80, 0x800, 0x1000, 0xD000, 0xE000, 0x10000, 0x40000, 0x100000, 0x110000)
_LINE_ENDS = (10, 13, 0x2028, 0x2029)
_CATEGORIES: Mapping[str, tuple[tuple[int, int], ...]] = {
    "CATEGORY_DIGIT": ((48, 57),),
    "CATEGORY_WORD": ((48, 57), (65, 90), (95, 95), (97, 122)),
    "CATEGORY_SPACE": ((9, 10), (12, 13), (32, 32)),
}


def _class(items: list[tuple[str, Any]], pattern: str) -> str:
    """A class of letters; what JSON escapes is escaped."""
    negated = items[0][0] == "NEGATE"
    spans = sorted(span for kind, value in items[negated:] for span in _span(kind, value, pattern))
    if negated:
        spans = _complement(spans, ascii_only=any(kind == "CATEGORY" for kind, _ in items))
    escaped = [code for code in _ESCAPES if any(first <= code <= last for first, last in spans)]
    parts = [*_brackets(spans), *(_letter(code) for code in escaped)]
    if not parts:
        raise InputError(f"the pattern {pattern!r:.100} has a class of no character", "leave it out")
    return f"({' | '.join(parts)})"


def _brackets(spans: Iterable[tuple[int, int]]) -> Iterator[str]:
    """Classes of what JSON does not escape. The compiler is exact only within one of `_FIRST_BYTES` (of UTF-8): a wider
    class would let broken bytes through.
    """
    plain = [span for first, last in spans for span in _plain(first, last)]
    for low, high in pairwise(_FIRST_BYTES):
        parts = [(max(first, low), min(last, high - 1)) for first, last in plain if first < high and last >= low]
        if parts:
            yield f"[{''.join(_bounds(*part) for part in parts)}]"


def _span(kind: str, value: Any, pattern: str) -> Iterable[tuple[int, int]]:
    if kind == "LITERAL":
        return ((value, value),)
    if kind == "RANGE":
        return (value,)
    name = str(value)
    if name.replace("NOT_", "") not in _CATEGORIES:
        raise InputError(f"the pattern {pattern!r:.100} has a class that is not known: {kind.lower()}", "use ranges")
    spans = _CATEGORIES[name.replace("NOT_", "")]
    return _complement(spans, ascii_only=True) if "NOT_" in name else spans


def _complement(spans: Iterable[tuple[int, int]], *, ascii_only: bool) -> list[tuple[int, int]]:
    """All other characters, surrogates aside; readers differ in what letters and spaces are beyond ASCII."""
    found, start = [], 0
    for first, last in sorted([*spans, (0x80, 0x10FFFF) if ascii_only else (0xD800, 0xDFFF), (0x110000, 0x110000)]):
        if start < first:
            found.append((start, first - 1))
        start = max(start, last + 1)
    return found


def _plain(first: int, last: int) -> Iterable[tuple[int, int]]:
    """Without the characters that JSON escapes."""
    first = max(first, 32)
    for code in (34, 92):
        if first <= code <= last:
            if first < code:
                yield first, code - 1
            first = code + 1
    if first <= last:
        yield first, last


def _bounds(low: int, high: int) -> str:
    return _code(low) if low == high else f"{_code(low)}-{_code(high)}"


def _code(code: int) -> str:
    return chr(code) if chr(code).isalnum() and code < 128 else f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"


def _letter(code: int) -> str:
    """A letter of a string's value as JSON writes it."""
    if code in _ESCAPES:
        return literal("\\" + _ESCAPES[code])
    return literal(chr(code)) if code >= 32 else literal(f"\\u{code:04x}")


def _quoted(code: int) -> str:
    return {34: '\\"', 92: "\\\\", 10: "\\n", 13: "\\r", 9: "\\t"}.get(code, chr(code))
