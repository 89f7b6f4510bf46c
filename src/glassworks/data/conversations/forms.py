"""The forms in which conversations are published, as messages with role and content."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from typing import Any

from glassworks.errors import InputError

MEND = "mend this conversation, or take it away"
NOTHING = frozenset(("NaN", "nan", "<NA>"))
"""What pandas writes where there is no text; None or NA can be an answer."""
LISTS = ("messages", "conversations", "conversation")
"""Keys under which records hold their messages where the job names none."""
_ROLES: Mapping[str, str] = {
    **dict.fromkeys(("human", "user", "prompter"), "user"),
    **dict.fromkeys(("gpt", "assistant", "chatgpt", "bing", "bard", "model"), "assistant"),
    **dict.fromkeys(("tool", "observation", "function_response"), "tool"),
    "system": "system",
    "function_call": "assistant",
}
"""Who speaks in ShareGPT's form (`from`), as OpenAI's roles."""
_SPEAKER, _SAID = "from", "value"


def listed(value: Any) -> Any:
    """A list, of a table's cell too: as JSON, or as pandas writes a list. Raises InputError."""
    if not isinstance(value, str):
        return value
    for read in (json.loads, ast.literal_eval):
        try:
            return read(value)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            continue
    raise InputError(f"a cell is no JSON: {value[:60]}", MEND)


def messages_of_list(given: Any) -> Any:
    """Messages of OpenAI's form, of ShareGPT's too; what is no list of objects stays as it is. Raises InputError."""
    if not isinstance(given, Sequence) or not all(isinstance(each, Mapping) for each in given):
        return given
    if not any(_SPEAKER in each and "role" not in each for each in given):
        return list(given)
    found, call = list[dict[str, Any]](), ""
    for index, each in enumerate(given):
        message = _of_speaker(each, index)
        if calls := message.get("tool_calls"):
            call = calls[0]["id"] = f"call_{index}"
        found.append({**message, "tool_call_id": call} if message["role"] == "tool" else message)
    return found


def messages_of_pair(question: Any, answer: Any) -> list[dict[str, Any]]:
    """Of a question and its answer (None: it has none): texts, or lists of messages each."""
    return [*_turns(question, "user"), *([] if answer is None else _turns(answer, "assistant"))]


def tools_of_cell(given: Any) -> Any:
    """Tools of OpenAI's form; functions alone are wrapped. Raises InputError."""
    found = listed(given) or []
    if not isinstance(found, Sequence) or not all(isinstance(each, Mapping) for each in found):
        return found
    return [{"type": "function", "function": each} if "name" in each and "type" not in each else each for each in found]


def _turns(given: Any, role: str) -> list[dict[str, Any]]:
    if isinstance(given, list) and given and all(isinstance(each, Mapping) for each in given):
        found: list[dict[str, Any]] = messages_of_list(given)
        return found
    return [{"role": role, "content": given if isinstance(given, str) else str(given)}]


def _of_speaker(message: Mapping[str, Any], index: int) -> dict[str, Any]:
    speaker, said = message.get(_SPEAKER), message.get(_SAID)
    role = _ROLES.get(speaker.lower()) if isinstance(speaker, str) else None
    if role is None:
        raise InputError(f"conversations[{index}] is from {speaker!r:.60}; known: {', '.join(_ROLES)}", MEND)
    further = {key: message[key] for key in ("weight", "name") if message.get(key) is not None}
    if isinstance(speaker, str) and speaker.lower() == "function_call":
        return {"role": role, "content": "", "tool_calls": [_call(said, index)], **further}
    return {"role": role, "content": said, **further}


def _call(said: Any, index: int) -> dict[str, Any]:
    found = listed(said)
    if not isinstance(found, Mapping) or not isinstance(found.get("name"), str):
        raise InputError(f"conversations[{index}] calls {said!r:.60}, not {{'name', 'arguments'}}", MEND)
    return {"type": "function", "function": {"name": found["name"], "arguments": found.get("arguments", {})}}
