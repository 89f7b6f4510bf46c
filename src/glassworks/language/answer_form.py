"""The form that a request asks of its answer, as a grammar: JSON, JSON of a schema, or calls of tools."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from glassworks.errors import InputError
from glassworks.language.answer_text import THINK, THOUGHT
from glassworks.language.parameters import Asked
from glassworks.language.prompts import Prompt
from glassworks.language.schema_grammar import grammar_of
from glassworks.language.string_grammar import literal
from glassworks.language.tool_calls import CLOSING, OPENING

_MOST_BYTES, _MOST_DEPTH = 64 * 1024, 32
_FORMATS = 'give one of the types text, json_object, and json_schema with {"json_schema": {"name", "schema"}}'
_THOUGHT = f'thought ::= ([^<] | "<" [^</])* {literal(THOUGHT)} [\\n]{{0,4}}\n'


def form_grammar(asked: Asked, prompt: Prompt) -> str:
    """Empty where any text may come. Raises InputError for what is not known or cannot be had together."""
    schema = _schema(asked.response_format)
    if schema is None and not prompt.required:
        return ""
    if schema is not None and prompt.tools:
        raise InputError("JSON and tools are asked for at once", "send tool_choice none, or no response_format")
    if asked.bias:
        raise InputError("a form of the answer is asked for together with logit_bias", "ask for one of them")
    rules = grammar_of({"body": schema}) if schema is not None else _calls(prompt, repeated=asked.parallel_tool_calls)
    if prompt.inside:
        return f"root ::= thought body\n{_THOUGHT}{rules}"
    before = f"({literal(THINK)} thought)? " if prompt.reasons else ""
    return f"root ::= {before}body\n{_THOUGHT if before else ''}{rules}"


def _schema(asked: Any) -> Mapping[str, Any] | None:
    """None where any text may come."""
    kind = asked.get("type") if isinstance(asked, Mapping) else asked
    if (kind is None and asked is None) or kind == "text":
        return None
    if kind == "json_object" and isinstance(asked, Mapping):
        return {"type": "object"}
    described = asked.get("json_schema") if isinstance(asked, Mapping) and kind == "json_schema" else None
    if not isinstance(described, Mapping) or not isinstance(described.get("schema"), Mapping):
        raise InputError(f"response_format is {asked!r:.200}", _FORMATS)
    return _bounded(described["schema"], "response_format")


def _bounded(schema: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    if _depth(schema) > _MOST_DEPTH:
        raise InputError(f"the JSON schema of {name} is nested more than {_MOST_DEPTH} deep", "use $defs and $ref")
    try:
        size = len(json.dumps(schema, ensure_ascii=False, allow_nan=False).encode())
    except ValueError as error:
        problem = f"the JSON schema of {name} holds what no answer can: {error}"
        raise InputError(problem, "send whole characters and finite numbers") from None
    if size > _MOST_BYTES:
        raise InputError(f"the JSON schema of {name} has {size} bytes", f"give at most {_MOST_BYTES}")
    return schema


def _depth(value: Any) -> int:
    """Level by level, so that no depth exhausts the stack; it stops where it is too deep."""
    depth, level = 0, [value]
    while level and depth <= _MOST_DEPTH:
        depth += 1
        level = [
            inner
            for each in level
            if isinstance(each, Mapping | list)
            for inner in (each.values() if isinstance(each, Mapping) else each)
        ]
    return depth


def _calls(prompt: Prompt, *, repeated: bool) -> str:
    """One call or more of the prompt's tools."""
    names = [str(tool["function"]["name"]) for tool in prompt.tools]
    schemas = {f"arguments{index}_": _arguments(tool) for index, tool in enumerate(prompt.tools)}
    key = "arguments" if prompt.form == "tags" else "parameters"
    begins = [literal(f'{{"name": {json.dumps(name)}, "{key}": ') for name in names]
    call = " | ".join(f'{begin} {rule} "}}"' for begin, rule in zip(begins, schemas, strict=True))
    if prompt.form == "tags":
        one = f"{literal(OPENING + chr(10))} call {literal(chr(10) + CLOSING)}"
        body = f'{one} ("\\n" {one})*' if repeated else one
    else:
        body = 'call ("; " call)*' if repeated else "call"
    return f"body ::= {body}\ncall ::= {call}\n{grammar_of(schemas)}"


def _arguments(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    function = tool["function"]
    return {"type": "object", **_bounded(function.get("parameters", {}), f"the tool {function['name']}")}
