"""Messages of a conversation as clients send them, for the chat template: texts only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from glassworks.serving.failures import WrongParameter

ROLES = ("system", "developer", "user", "assistant", "tool")
_MEDIA = frozenset({"image_url", "input_image", "input_audio", "audio", "file", "input_file", "video_url"})
_TEXTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
"""Type of a part -> where its text is."""
_KNOWN = frozenset({"role", "content", "name", "tool_calls", "tool_call_id", "refusal", "reasoning_content"})
_ANSWERS = frozenset({"annotations", "status", "id", "phase"})
"""What comes with an answer that a client sends back, and says nothing to a model."""


def messages_of(content: object, path: str = "messages") -> list[dict[str, Any]]:
    """Messages with their content as one text, null where an assistant only calls tools. Raises WrongParameter."""
    if not isinstance(content, list) or not content:
        raise WrongParameter(f"{path} is {content!r:.100}", "give a list with at least one message", path)
    return [_message(each, f"{path}[{number}]") for number, each in enumerate(content)]


def text_of_parts(content: object, path: str) -> str:
    """A text, or a list of text parts, which stand on lines of their own. Raises WrongParameter."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content:
        raise WrongParameter(f"{path} is {content!r:.100}", "give a text, or a list of text parts", path)
    return "\n".join(_part(each, f"{path}[{number}]") for number, each in enumerate(content))


def _message(message: object, path: str) -> dict[str, Any]:
    if not isinstance(message, dict):
        raise WrongParameter(f"{path} is {message!r:.100}", "give an object with role and content", path)
    role, found = message.get("role"), {key: value for key, value in message.items() if value is not None}
    if role not in ROLES:
        raise WrongParameter(f"{path}.role is {role!r:.100}", f"give one of: {', '.join(ROLES)}", f"{path}.role")
    for key in found.keys() - _KNOWN - _ANSWERS:
        raise WrongParameter(
            f"the field '{key[:100]}' of {path} is not supported", "leave it out", f"{path}.{key[:100]}",
            "unsupported_parameter",
        )  # fmt: skip
    found = {key: found[key] for key in found if key in _KNOWN and key != "refusal"}
    content = message.get("content", message.get("refusal"))
    if content is None and found.get("tool_calls"):
        return {**found, "content": None}
    return {**found, "content": text_of_parts(content, f"{path}.content")}


def _part(part: object, path: str) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    if isinstance(kind, str) and kind in _MEDIA:
        raise WrongParameter(
            f"{path} is of the type '{kind}': this model reads text only", "send text parts", path,
            "unsupported_parameter",
        )  # fmt: skip
    text = part.get(_TEXTS.get(kind, "")) if isinstance(part, Mapping) and isinstance(kind, str) else None
    if not isinstance(text, str):
        raise WrongParameter(f"{path} is {part!r:.200}", 'give {"type": "text", "text": "..."}', path)
    return text


def tools_of(tools: Sequence[Mapping[str, Any]], path: str = "tools") -> list[dict[str, Any]]:
    """Tools that are functions. Raises WrongParameter."""
    for number, tool in enumerate(tools):
        if tool.get("type") != "function":
            raise WrongParameter(
                f"{path}[{number}] is of the type {tool.get('type')!r:.100}: only functions are tools here",
                'give {"type": "function", "function": {...}}', f"{path}[{number}].type", "unsupported_parameter",
            )  # fmt: skip
    return [dict(tool) for tool in tools]
