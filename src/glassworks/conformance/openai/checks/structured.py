"""Answers in JSON: what a schema demands holds on any model, and what cannot be compiled is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from glassworks.conformance.openai.answers import Answer
from glassworks.conformance.openai.client import Client, lacks, optional, refused, said, same, together
from glassworks.conformance.target import Failed, NotOffered

_CHAT = "/chat/completions"
_TOKENS = 150
_BLANK = 24
_COLORS = ["red", "green", "blue"]
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "color": {"type": "string", "enum": _COLORS},
        "count": {"type": "integer", "enum": [1, 2, 3]},
        "good": {"type": "boolean"},
        "sizes": {"type": "array", "items": {"enum": [10, 20]}, "minItems": 2, "maxItems": 2},
        "inner": {
            "type": "object",
            "properties": {"none": {"type": "null"}},
            "required": ["none"],
            "additionalProperties": False,
        },
    },
    "required": ["color", "count", "good", "sizes", "inner"],
    "additionalProperties": False,
}
"""Whatever fits has an end, so that each model comes to it."""
_BROKEN: tuple[Mapping[str, Any], ...] = (
    {"type": "strin"},
    {"type": "object", "properties": {"a": {"$ref": "#/$defs/nowhere"}}, "required": ["a"]},
    {"type": "string", "pattern": "("},
    {"type": "object", "properties": 5},
)


def o8_schema(client: Client) -> None:
    """A strict json_schema holds in each of eight answers: enumerations, numbers, booleans, arrays, nested objects."""
    for seed in range(8):
        found = _asked(client, form(SCHEMA), temperature=1.5, seed=seed)
        same(found.finish, "stop", "finish_reason")
        fits(found.text)


def o8_schema_streamed(client: Client) -> None:
    """A streamed answer to a schema is the whole one, and holds."""
    whole = _asked(client, form(SCHEMA))
    found = client.stream(response_format=form(SCHEMA), max_tokens=_TOKENS)
    same(found.text(), whole.text, "the streamed answer")
    fits(found.text())


def o8_schema_cut_by_the_limit(client: Client) -> None:
    """An answer to a schema that is cut says finish_reason length."""
    found = _asked(client, form(SCHEMA), max_tokens=2)
    same((found.finish, found.tokens), ("length", 2), "finish_reason and tokens")


def o8_blanks_are_bounded(client: Client) -> None:
    """No answer in JSON runs blanks to its limit, even where the model would like to (complaint 6)."""
    blanks = {token for text in (" ", "\n", "  ", "\n\n", "\t") for token in client.token_ids(text)}
    _asked(client, form(SCHEMA))
    reply = _reply(client, form(SCHEMA), logit_bias={str(token): 100 for token in blanks})
    if lacks(reply, "logit_bias with a schema", "logit_bias"):
        reply = _reply(client, form(SCHEMA), temperature=2)
    found = Answer(reply.expect(200).json)
    _no_run_of_blanks(found.text)
    same(found.finish, "stop", "finish_reason where blanks are likely")
    fits(found.text)


def o8_object(client: Client) -> None:
    """json_object gives an object, and no run of blanks (complaint 6)."""
    asked = said("Answer with a JSON object such as {}.")
    found = _asked(client, {"type": "json_object"}, messages=asked)
    _no_run_of_blanks(found.text)
    if found.finish == "length":
        if not found.text.lstrip().startswith("{"):
            raise Failed(f"the answer is no beginning of an object: {found.text[:80]!r}")
        raise NotOffered(f"the model came to no end within {_TOKENS} tokens")
    same(isinstance(json.loads(found.text), dict), True, "whether it is an object")


def o8_broken_schema(client: Client) -> None:
    """A schema that cannot be compiled is 400, not dropped (complaint 6)."""
    _asked(client, form(SCHEMA))
    for schema in _BROKEN:
        reply = _reply(client, form(schema))
        if reply.status == 200:
            raise Failed(f"{json.dumps(schema)} is answered with 200: {reply.body[:120]!r}")
        refused(reply)


def o8_broken_schema_harms_no_neighbor(client: Client) -> None:
    """While broken schemas are refused, another one's stream comes whole (complaint 6)."""
    _asked(client, form(SCHEMA))
    expected = client.greedy.text
    whole, *_ = together(client.stream, *(partial(_reply, client, form(schema)) for schema in _BROKEN))
    same(getattr(whole, "text", str)(), expected, "the neighbor's answer")
    same(client.chat().text, expected, "the answer behind it")


def o8_no_schema(client: Client) -> None:
    """json_schema without a schema is 400."""
    _asked(client, form(SCHEMA))
    refused(_reply(client, {"type": "json_schema"}))


def form(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A strict response_format."""
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}


def fits(text: str) -> None:
    """Raise Failed unless a text is JSON as SCHEMA has it."""
    try:
        found = json.loads(text)
    except ValueError:
        raise Failed(f"the answer is no JSON: {text[:120]!r}") from None
    holds = (
        isinstance(found, dict)
        and set(found) == set(SCHEMA["required"])
        and found["color"] in _COLORS
        and type(found["count"]) is int
        and found["count"] in (1, 2, 3)
        and type(found["good"]) is bool
        and isinstance(found["sizes"], list)
        and len(found["sizes"]) == 2
        and set(found["sizes"]) <= {10, 20}
        and found["inner"] == {"none": None}
    )
    if not holds:
        raise Failed(f"the answer does not fit the schema: {text[:160]!r}")


def _reply(client: Client, response_format: object, **more: Any) -> Any:
    given = {"messages": said(client.prompt), "max_tokens": _TOKENS, **more, "response_format": response_format}
    return client.ask(_CHAT, client.body(_CHAT, **given))


def _asked(client: Client, response_format: object, **more: Any) -> Answer:
    reply = _reply(client, response_format, **more)
    return Answer(optional(reply, "response_format", "response_format", "schema", "json").json)


def _no_run_of_blanks(text: str) -> None:
    if run := re.search(rf"\s{{{_BLANK},}}", text):
        raise Failed(f"{len(run[0])} blanks in a row")
