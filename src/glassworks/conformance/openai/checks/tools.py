"""Tools: who must call calls, who may not does not, and a stream's calls are those of the whole answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from glassworks.conformance.openai.answers import Answer
from glassworks.conformance.openai.client import Client, optional, refused, said, same
from glassworks.conformance.target import Failed

_CHAT = "/chat/completions"
_TOKENS = 100
_CITIES = ["Paris", "Rome"]
_MARKUP = ("<tool_call", "</tool_call", "[TOOL_CALLS]", "<|python_tag|>", "<function=", '{"name"')
TOOL: Mapping[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": _CITIES}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
_FORCED = {"type": "function", "function": {"name": "weather"}}


def o9_forced(client: Client) -> None:
    """A tool that is forced is called by its name, once, with an id and arguments that are JSON of its schema."""
    found = _asked(client, tool_choice=_FORCED)
    same(len(found.calls), 1, "how many calls")
    _good(found.calls[0])
    if found.finish not in ("tool_calls", "stop"):
        raise Failed(f"finish_reason {found.finish!r}")


def o9_required(client: Client) -> None:
    """With required some tool is called, and finish_reason is tool_calls (complaint 3)."""
    found = _asked(client, tool_choice="required")
    if not found.calls:
        raise Failed(f"no call: {found.text[:120]!r}")
    _good(found.calls[0])
    same(found.finish, "tool_calls", "finish_reason")


def o9_auto(client: Client) -> None:
    """With auto the answer is a text or calls, and finish_reason says which (complaint 3)."""
    found = _asked(client, tool_choice="auto")
    if found.calls:
        same(found.finish, "tool_calls", "finish_reason")
    elif found.finish == "tool_calls" or not found.text:
        raise Failed(f"neither text nor calls: {found.choices[0]}")


def o9_none(client: Client) -> None:
    """With none no tool is called."""
    same(_asked(client, tool_choice="none").calls, [], "calls")


def o9_streamed(client: Client) -> None:
    """A stream's calls, put together by index, are those of the whole answer: id and name once (complaint 2)."""
    whole = _asked(client, tool_choice="required")
    found = client.stream(tools=[TOOL], tool_choice="required", messages=_question(), max_tokens=_TOKENS)
    same([call["function"] for call in found.calls], [call["function"] for call in whole.calls], "the calls")
    parts = [part for choice in found.choices() for part in choice["delta"].get("tool_calls") or ()]
    same(sum(bool(part.get("id")) for part in parts), len(whole.calls), "how many ids")
    same(found.text(), whole.text, "text beside calls")
    same(found.finishes(), ["tool_calls"], "finish_reason")


def o9_no_markup(client: Client) -> None:
    """No markup of a call is in the text, whole, streamed or cut by the limit (complaint 2)."""
    for count in (2, 5, 12, _TOKENS):
        whole = _asked(client, tool_choice="required", max_tokens=count)
        found = client.stream(tools=[TOOL], tool_choice="required", messages=_question(), max_tokens=count)
        for text in (whole.text, found.text()):
            if any(mark in text for mark in _MARKUP):
                raise Failed(f"at {count} tokens the text has markup: {text[:120]!r}")
        same(found.finishes(), [whole.finish], f"finish_reason at {count} tokens")


def o9_result(client: Client) -> None:
    """What a tool gave back is read: it counts in prompt_tokens."""
    _asked(client, tool_choice="auto", max_tokens=1)
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
    counts = []
    for result in ("rain", "rain in the morning and sun in the evening"):
        messages = [
            *_question(),
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": result},
        ]
        counts.append(client.chat(messages=messages, tools=[TOOL], max_tokens=1).usage["prompt_tokens"])
    if counts[1] <= counts[0]:
        raise Failed(f"prompt_tokens {counts[1]} with a long result, {counts[0]} with a short one")


def o9_tools_are_read(client: Client) -> None:
    """Tools are shown to the model: they count in prompt_tokens."""
    found = _asked(client, tool_choice="auto", max_tokens=1)
    without = client.chat(messages=_question(), max_tokens=1)
    if found.usage["prompt_tokens"] <= without.usage["prompt_tokens"]:
        raise Failed("prompt_tokens are the same with tools and without: they are ignored in silence")


def o9_wrong_tools(client: Client) -> None:
    """A choice of a tool that is not there, and tools that are none, are 400."""
    _asked(client, tool_choice="auto", max_tokens=1)
    other = {"type": "function", "function": {"name": "no_such_tool"}}
    for more in ({"tool_choice": other}, {"tool_choice": "perhaps"}, {"tools": [{"type": "function"}]}, {"tools": 5}):
        refused(_reply(client, **more))


def _question() -> list[dict[str, Any]]:
    return said("What is the weather in Rome?")


def _reply(client: Client, **more: Any) -> Any:
    return client.ask(
        _CHAT, client.body(_CHAT, **{"messages": _question(), "tools": [TOOL], "max_tokens": _TOKENS, **more})
    )


def _asked(client: Client, **more: Any) -> Answer:
    return Answer(optional(_reply(client, **more), "tools", "tool").json)


def _good(call: Any) -> None:
    if not call["id"] or call["type"] != "function":
        raise Failed(f"the call is {call}")
    same(call["function"]["name"], "weather", "the name")
    arguments = json.loads(call["function"]["arguments"])
    if not isinstance(arguments, dict) or arguments.get("city") not in _CITIES:
        raise Failed(f"arguments {call['function']['arguments'][:120]!r} do not fit the tool's schema")
