"""Messages of a conversation whose texts are templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glassworks.evals.templates import MOST_FILLED, Missing, Template, template
from glassworks.serving.failures import WrongParameter
from glassworks.serving.protocols._openai.messages import ROLES, text_of_parts

_MOST = 100
_MEND = "give a list of objects with role and content"


@dataclass(frozen=True, slots=True)
class Messages:
    """Roles and texts."""

    rows: Sequence[tuple[str, Template]]

    def filled(self, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """As /v1/chat/completions takes them. Raises Missing."""
        found = [{"role": role, "content": text.filled(values)} for role, text in self.rows]
        if sum(len(each["content"]) for each in found) > MOST_FILLED:
            raise Missing(f"the messages have more than {MOST_FILLED:,} characters")
        return found


def messages(content: object, where: str) -> Messages:
    """Of what a client sent. Raises WrongParameter."""
    if not isinstance(content, list) or not 0 < len(content) <= _MOST:
        raise WrongParameter(f"{where} is {content!r:.100}", f"{_MEND}, at most {_MOST}", where)
    return Messages([_row(each, f"{where}[{number}]") for number, each in enumerate(content)])


def _row(message: object, where: str) -> tuple[str, Template]:
    if not isinstance(message, dict) or message.get("role") not in ROLES or message.get("role") == "tool":
        raise WrongParameter(f"{where} is {message!r:.100}", _MEND, where)
    if unknown := message.keys() - {"role", "content", "type"}:
        raise WrongParameter(f"{where} has '{sorted(unknown)[0]:.40}'", _MEND, where, "unsupported_parameter")
    if message.get("type", "message") != "message":
        raise WrongParameter(f"{where}.type is {message['type']!r:.40}", "give message, or leave it out", where)
    return message["role"], template(_text(message.get("content"), f"{where}.content"), f"{where}.content")


def _text(content: Any, where: str) -> str:
    """A text, a part, or several of them, on lines of their own."""
    parts = [content] if isinstance(content, dict) else content
    if isinstance(parts, list):
        parts = [{"type": "text", "text": each} if isinstance(each, str) else each for each in parts]
    return text_of_parts(parts, where)
