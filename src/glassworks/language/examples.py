"""Conversations as examples to learn from and to measure: token ids, and which of them the assistant wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassworks.errors import InputError
from glassworks.language.chat_template import ChatTemplate

ASSISTANT = "assistant"
_BEGINNING = '{"messages": '


@dataclass(frozen=True, kw_only=True)
class Example:
    """`ids` (int64 T) of a conversation, and which of them are `learned` (bool T): the assistant's words, and the
    token that ends each of its turns.
    """

    ids: NDArray[np.int64]
    learned: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)


def is_conversation(text: bytes | str) -> bool:
    """Whether a row of measuring holds a conversation, as JSON of `messages` and `tools`, or a plain text."""
    return text.startswith(_BEGINNING) if isinstance(text, str) else text.startswith(_BEGINNING.encode())


def examples_of(
    template: ChatTemplate, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any], stop_ids: Sequence[int]
) -> list[Example]:
    """One example of a checked conversation, or one a turn where the template shows earlier turns otherwise once there
    are later ones. Raises InputError for a conversation from which nothing can be learned.
    """
    turns = _turns(messages)
    _require_calls(template, messages, tools)
    whole = template.turns(messages, tools)
    if whole is not None:
        return [_joined(whole, stop_ids)]
    return [_last(template, messages[: index + 1], tools, stop_ids) for index in turns]


def _turns(messages: Sequence[Mapping[str, Any]]) -> list[int]:
    """Which messages are answers to learn."""
    answers = [index for index, message in enumerate(messages) if message["role"] == ASSISTANT]
    for index in answers:
        if messages[index].get("weight", 1) not in (0, 1):
            problem = f"messages[{index}] has the weight {messages[index]['weight']!r:.40}"
            raise InputError(problem, "give 1 to an answer to learn, 0 to another")
        if not messages[index]["content"].strip() and not messages[index].get("tool_calls"):
            raise InputError(f"messages[{index}] is an empty answer", "write the answer, or take the message away")
    learned = [index for index in answers if messages[index].get("weight", 1)]
    if not learned:
        raise InputError("no message is the assistant's to learn", "end each conversation with the answer to learn")
    if answers[0] == 0:
        raise InputError("the first message is the assistant's: it answers nothing", "begin with the user's")
    return learned


def _require_calls(template: ChatTemplate, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any]) -> None:
    """Raises InputError where the template leaves calls of tools out: saying nothing would be learned instead."""
    calling = [message for message in messages if message.get("tool_calls")]
    if not calling:
        return
    others = [{**message, "tool_calls": []} if message in calling else message for message in messages]
    if template.ids(messages, tools, answer=False) == _ids_or_none(template, others, tools):
        raise InputError(
            "the chat template does not show calls of tools: nothing of them can be learned",
            "give a template that does: model.chat_template",
        )


def _ids_or_none(template: ChatTemplate, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any]) -> Any:
    try:
        return template.ids(messages, tools, answer=False)
    except InputError:
        return None


def _last(
    template: ChatTemplate, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any], stop_ids: Sequence[int]
) -> Example:
    """Its last turn alone is learned."""
    prompt, whole = template.ids(messages[:-1], tools), template.ids(messages, tools, answer=False)
    if whole[: len(prompt)] != prompt:
        raise InputError(
            "the chat template writes an answer otherwise than it asks for one: nothing can be learned by it",
            "give another template: model.chat_template",
        )
    return _joined([(prompt, False), (whole[len(prompt) :], True)], stop_ids)


def _joined(parts: Sequence[tuple[list[int], bool]], stop_ids: Sequence[int]) -> Example:
    """What follows the last turn is left out; what a template writes behind the end of a turn is not learned."""
    ids, learned = list[int](), list[bool]()
    for part, answers in parts:
        end = _end(part, stop_ids) if answers else 0
        ids += part
        learned += [position < end for position in range(len(part))]
    size = len(learned) - learned[::-1].index(True)
    return Example(ids=np.array(ids[:size], np.int64), learned=np.array(learned[:size], np.bool_))


def _end(ids: Sequence[int], stop_ids: Sequence[int]) -> int:
    """How many tokens of a turn the model writes itself: up to the last that ends answers."""
    stops = [position for position, number in enumerate(ids) if number in stop_ids]
    return stops[-1] + 1 if stops else len(ids)
