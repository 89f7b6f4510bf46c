"""Messages and tools of a request, checked before a chat template sees them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from glassworks.errors import InputError

ROLES = ("system", "developer", "user", "assistant", "tool")
_SHAPE = "send a list of objects with role and content"
_TOOL_SHAPE = 'give a list of {"type": "function", "function": {"name", "description", "parameters"}}'
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_MOST_TOOLS = 128


def messages_of(value: Any) -> list[dict[str, Any]]:
    """A list of messages (or its JSON) with texts as contents and objects as arguments of calls. Raises InputError."""
    try:
        given = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError) as error:
        raise InputError(f"messages are no JSON: {error}", _SHAPE) from None
    if not isinstance(given, list) or not given:
        raise InputError(f"messages are {given!r:.100}", _SHAPE)
    found, calls = list[dict[str, Any]](), set[str]()
    for index, message in enumerate(given):
        found.append(_message(message, f"messages[{index}]", calls))
    return found


def tools_of(value: Any) -> list[dict[str, Any]]:
    """Tools by which a model may be asked to answer. Raises InputError."""
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > _MOST_TOOLS:
        raise InputError(f"tools are {value!r:.100}", f"{_TOOL_SHAPE}, {_MOST_TOOLS} at most")
    names = set[str]()
    for index, tool in enumerate(value):
        function = tool.get("function") if isinstance(tool, Mapping) and tool.get("type") == "function" else None
        if not isinstance(function, Mapping) or not _NAME.fullmatch(str(function.get("name", ""))):
            raise InputError(f"tools[{index}] is {tool!r:.100}", f"{_TOOL_SHAPE}; names match {_NAME.pattern}")
        if not isinstance(function.get("parameters", {}), Mapping):
            raise InputError(f"tools[{index}] has parameters {function['parameters']!r:.100}", "give a JSON schema")
        if function["name"] in names:
            raise InputError(f"two tools are named '{function['name']}'", "give each a name of its own")
        names.add(function["name"])
    return value


def chosen(choice: Any, tools: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """`none`, `auto` or `required`, and the tools among which to choose. Raises InputError."""
    if choice is None or choice == "auto":
        return ("auto" if tools else "none"), tools
    if choice == "none":
        return "none", []
    name = _named(choice)
    found = [tool for tool in tools if name in ("", tool["function"]["name"])]
    if not found:
        raise InputError(f"tool_choice is {choice!r:.200}, but no such tool is given", "name one of tools")
    return "required", found


def _named(choice: Any) -> str:
    """The tool that is to be called; empty for any."""
    if choice == "required":
        return ""
    function = choice.get("function") if isinstance(choice, Mapping) and choice.get("type") == "function" else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str) or not function["name"]:
        mend = 'give none, auto, required or {"type": "function", "function": {"name"}}'
        raise InputError(f"tool_choice is {choice!r:.100}", mend)
    return str(function["name"])


def _message(message: Any, where: str, calls: set[str]) -> dict[str, Any]:
    """`calls` are ids of the calls that were made before it; its own are added."""
    if not isinstance(message, Mapping):
        raise InputError(f"{where} is {message!r:.100}", _SHAPE)
    role = message.get("role")
    if role not in ROLES:
        raise InputError(f"{where} has the role {role!r:.100}", f"roles are {', '.join(ROLES)}")
    found = {key: value for key, value in message.items() if value is not None}
    if made := found.get("tool_calls"):
        found["tool_calls"] = _calls(made, where, calls) if role == "assistant" else _refuse_calls(where)
    found["content"] = _content(message.get("content"), where, empty=bool(made))
    if role == "tool" and not _answers(found.get("tool_call_id"), calls):
        raise InputError(
            f"{where} answers the call {found.get('tool_call_id')!r:.100}, which no message before it made",
            "send the assistant's message with its tool_calls before the tool's",
        )
    return found


def _answers(call: Any, calls: set[str]) -> bool:
    return bool(calls) if call is None else isinstance(call, str) and call in calls


def _refuse_calls(where: str) -> Any:
    raise InputError(f"{where} has tool_calls, but is not the assistant's", "give them the role assistant")


def _content(content: Any, where: str, *, empty: bool) -> str:
    if content is None and empty:
        return ""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) and content else [None]
    texts = [part.get("text") if isinstance(part, Mapping) and part.get("type") == "text" else None for part in parts]
    found = [text for text in texts if isinstance(text, str)]
    if len(found) < len(texts):
        raise InputError(
            f"{where} has the content {content!r:.100}", 'give a text, or a list of {"type": "text", "text"}'
        )
    return "\n".join(found)


def _calls(made: Any, where: str, calls: set[str]) -> list[dict[str, Any]]:
    found = []
    for call in made if isinstance(made, list) else [made]:
        function = call.get("function") if isinstance(call, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            raise InputError(
                f"{where} has the tool call {call!r:.100}", 'give {"id", "type": "function", "function"}, as answers do'
            )
        arguments = function.get("arguments", {})
        try:
            arguments = json.loads(arguments or "{}") if isinstance(arguments, str) else arguments
        except (ValueError, RecursionError) as error:
            problem = f"{where}: arguments of a tool call are no JSON: {error}"
            raise InputError(problem, "send them as they were answered") from None
        found.append({**call, "function": {**function, "arguments": arguments}})
        calls.add(str(call.get("id")))
    return found
