"""How people ask for an explanation of an answer: checked, and refused by name where it is not known."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from glassworks.errors import InputError, Unsupported
from glassworks.language.attribution.parts import KINDS, Question, question_of
from glassworks.language.attribution.subject import Aim, PromptSubject
from glassworks.language.conversations import messages_of
from glassworks.language.parameters import MOST_ALTERNATIVES
from glassworks.language.session import INPUT, LanguageSession, question

if TYPE_CHECKING:
    from glassworks.contracts import Budget, Session, Tensors

_LISTS = ("tools", "passages", "span", "spans")
"""May be JSON: parameters of some protocols are no lists."""
_MOST_SPANS, _MOST_TOKENS = 256, 4096
KNOWN = ("messages", "tools", "parts", "passages", "answer", "against", "span", "spans", "max_tokens", "top")


def question_and_aim(text: bytes | str, asked: Mapping[str, Any]) -> tuple[Question, Aim]:
    """What a request asks; what is None counts as absent. A conversation is in `messages`, the text is then not looked
    at. Raises InputError.
    """
    for name in asked:
        if name not in KNOWN:
            raise InputError(f"the option '{name[:200]}' is not known", f"known: {', '.join(KNOWN)}")
    given = {name: value for name, value in asked.items() if value is not None}
    given |= {name: _decoded(name, given[name]) for name in _LISTS if isinstance(given.get(name), str)}
    aim = Aim(
        parts=_kind(given.get("parts", "passages" if given.get("passages") else "words")),
        passages=_numbers("passages", given.get("passages", ()), (2, 3)),
        answer=_answer(given.get("answer")),
        against=_text("against", given.get("against")),
        span=_numbers("span", [given["span"]], (2,))[0] if "span" in given else None,
        spans=_numbers("spans", given.get("spans", ()), (2,)),
        max_tokens=_whole("max_tokens", given["max_tokens"], 1, _MOST_TOKENS) if "max_tokens" in given else None,
        top=_whole("top", given.get("top", Aim.top), 0, MOST_ALTERNATIVES - 1),
    )
    return question_of(text, given.get("messages"), given.get("tools")), aim


def subject_of(
    session: Session, tensors: Tensors, asked: Mapping[str, Any], budget: Budget, check: Callable[[], None]
) -> PromptSubject:
    """One row as it is explained. Raises InputError, and Unsupported for a session of another kind."""
    if not isinstance(session, LanguageSession):
        raise Unsupported("this model writes no text by tokens that are known", "explain it with its own task")
    (text,) = tensors[INPUT].tolist()
    known = question(text) if session.conversations else {}
    return PromptSubject(session, *question_and_aim(text, {**known, **asked}), budget, check)


def conversation(text: str) -> dict[str, Any]:
    """What a text asks that is a conversation as JSON of `messages`, and of `tools`; of any other, nothing. Where it
    ends with what the assistant said, that is the answer.
    """
    try:
        found: Any = json.loads(text) if text.lstrip().startswith("{") else {}
    except (ValueError, RecursionError):
        return {}
    messages = found.get("messages")
    if not isinstance(messages, list) or not messages:
        return {}
    asked = {"messages": messages, **({"tools": found["tools"]} if found.get("tools") else {})}
    last = messages[-1]
    if len(messages) > 1 and isinstance(last, dict) and last.get("role") == "assistant" and last.get("content"):
        asked |= {"messages": messages[:-1], "answer": messages_of(messages)[-1]["content"]}
    return asked


def _decoded(name: str, value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise InputError(f"{name} is {value!r:.100}, which is no JSON", "give a list, or its JSON") from None


def _kind(value: Any) -> Any:
    if value not in KINDS:
        raise InputError(f"parts is {value!r:.100}", f"give one of: {', '.join(KINDS)}")
    return value


def _text(name: str, value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or not value):
        raise InputError(f"{name} is {value!r:.100}", "give a text of at least one character")
    return value


def _answer(value: Any) -> Any:
    """A text, or ids of tokens."""
    if isinstance(value, list | tuple) and value:
        return [_whole("a token of answer", each, 0, 2**31) for each in value]
    return _text("answer", value)


def _whole(name: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InputError(f"{name} is {value!r:.100}", f"give a whole number from {least} to {most}")
    return value


def _numbers(name: str, value: Any, sizes: Sequence[int]) -> Any:
    """A tuple of tuples of whole numbers. Raises InputError."""
    if not isinstance(value, list | tuple) or len(value) > _MOST_SPANS:
        raise InputError(f"{name} is {value!r:.100}", f"give a list of at most {_MOST_SPANS} pairs (start, end)")
    for each in value:
        whole = isinstance(each, list | tuple) and all(type(one) is int for one in each)
        if not whole or len(each) not in sizes:
            raise InputError(f"{name} holds {each!r:.100}", "give numbers of characters: (start, end)")
    return tuple(tuple(each) for each in value)
