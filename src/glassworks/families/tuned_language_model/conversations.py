"""The job's conversations: checked against the model that learns from them, and split without leaks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import Tokenizer

from glassworks.contracts import Dataset, Split
from glassworks.data.assigned import Assigned
from glassworks.data.conversations.collection import (
    Conversations,
    Wanted,
    findings,
    read_again,
    read_conversations,
    read_rejected,
)
from glassworks.data.conversations.keys import ConversationData
from glassworks.data.splits import PARTS, Shares, deal
from glassworks.data.text.duplicates import find_copies
from glassworks.errors import ConfigError, DataError, InputError
from glassworks.language.chat_template import ChatTemplate
from glassworks.language.conversations import messages_of, tools_of
from glassworks.language.examples import Example, examples_of
from glassworks.language.tokenizer import LanguageTokenizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glassworks.language.importing import Brought

_FEWEST = 10
_LARGEST_GROUP = 0.3
"""A group of near copies with a larger share of the conversations makes any split by groups meaningless."""


@dataclass(frozen=True)
class Reading:
    """How a model reads conversations."""

    template: ChatTemplate
    tokenizer: LanguageTokenizer
    stop_ids: tuple[int, ...]
    context: int

    @classmethod
    def of(cls, brought: Brought) -> Reading:
        """Raises ConfigError for a model without a chat template."""
        settings = brought.settings
        if not settings.chat_template:
            raise ConfigError(
                f"{settings.source} holds no conversations: it has no chat template", "give one: model.chat_template"
            )
        # A copy: reading text as text is a setting of the tokenizer itself.
        tokenizer = LanguageTokenizer(Tokenizer.from_str(brought.tokenizer.to_str()))
        template = ChatTemplate(settings.chat_template, tokenizer, settings.special)
        return cls(template, tokenizer, settings.stop_ids, settings.context)

    def examples(self, item: str) -> list[Example]:
        """What is learned from one of `Conversations.items`."""
        messages, tools = read_again(item)
        return examples_of(self.template, messages_of(messages), tools_of(tools), self.stop_ids)

    def pair(self, item: str) -> tuple[Example, Example]:
        """The preferred and the rejected answer of one of `Conversations.items`."""
        messages, tools = read_again(item)
        ways = (messages, read_rejected(item))
        preferred, rejected = (
            examples_of(self.template, messages_of(way), tools_of(tools), self.stop_ids)[-1] for way in ways
        )
        return preferred, rejected

    def check_asked(self, messages: Any, tools: Any) -> None:
        """Raises InputError for a conversation that cannot be learned, or asked to be answered."""
        if has_answer(messages):
            return self.check(messages, tools)
        asked = messages_of(messages)
        if asked[-1]["role"] not in ("user", "tool"):
            raise InputError(f"its last message is the {asked[-1]['role']}'s", "end it with a question")
        if (size := len(self.template.ids(asked, tools_of(tools)))) >= self.context:
            raise InputError(f"its question has {size:,} tokens, the context holds {self.context:,}", "shorten it")
        return None

    def check(self, messages: Any, tools: Any) -> None:
        """Raises InputError for a conversation that cannot be learned."""
        found = examples_of(self.template, messages_of(messages), tools_of(tools), self.stop_ids)
        longest = max(map(len, found))
        if longest > self.context:
            raise InputError(f"it has {longest:,} tokens, the context holds {self.context:,}", "shorten it")


def prepare(data: ConversationData, reading: Reading, wanted: Wanted = "answers") -> Dataset:
    """Three parts; `x` are `Conversations.items`, `y` is 1. Raises DataError where there are too few to learn from."""
    found = read_conversations(data, reading.check_asked if wanted == "questions" else reading.check, wanted)
    questions, answers = map(list, zip(*map(_asked, found.items), strict=True))
    kept = _distinct(questions, answers, found.parts or [""] * len(found))
    _require_enough(found, [answers[row] for row in kept], differ=wanted != "questions")
    groups, notes = _groups([questions[row] for row in kept])
    alike, own = np.zeros(len(kept), np.int64), Assigned(parts=found.parts).only(kept)
    dealt = deal(alike, groups, own, ("",), Shares(validation=data.validation, test=data.test, seed=data.seed))
    parts = dealt.parts
    if not all(len(parts[name]) for name in PARTS):
        raise DataError(f"'{data.source}' cannot be split: its questions are near copies", "give more that differ")
    items = [found.items[row] for row in kept]
    twice = (f"{len(found) - len(kept):,} copies are left out",) if len(kept) < len(found) else ()
    return Dataset(
        name=data.source,
        fingerprint=hashlib.sha256("\0".join((*items, *own.parts)).encode("utf-8", "replace")).hexdigest(),
        classes=(),
        splits={name: as_split([items[row] for row in rows]) for name, rows in parts.items()},
        findings=(*findings(found), *twice, *map(str, dealt.findings), *notes),
    )


def as_split(items: Sequence[str]) -> Split:
    """Conversations as the flow carries them."""
    x: NDArray[Any] = np.empty(len(items), object)
    x[:] = items
    return Split(x=x, y=np.ones(len(items), np.int64))


def has_answer(messages: Any) -> bool:
    """Whether a list of messages ends with the assistant's."""
    last = messages[-1] if isinstance(messages, list) and messages else None
    return isinstance(last, Mapping) and last.get("role") == "assistant"


def _asked(item: str) -> tuple[str, str]:
    """What people say in a conversation, and what is answered, rightly and wrongly, as one text each."""
    messages, _ = read_again(item)
    texts = [(message["role"], str(message.get("content") or message.get("tool_calls") or "")) for message in messages]
    rejected = [str(message.get("content") or message.get("tool_calls")) for message in read_rejected(item)[-1:]]
    answers = "\n".join([*(text for role, text in texts if role == "assistant"), *rejected])
    return "\n".join(text for role, text in texts if role in ("user", "tool")), answers


def _distinct(questions: Sequence[str], answers: Sequence[str], parts: Sequence[str]) -> list[int]:
    """The first of conversations with the same question and the same answer, in each part that the data assign."""
    first: dict[tuple[str, str, str], int] = {}
    for row, same in enumerate(zip(questions, answers, parts, strict=True)):
        first.setdefault(same, row)
    return list(first.values())


def _require_enough(found: Conversations, answers: Sequence[str], *, differ: bool) -> None:
    if len(answers) < _FEWEST:
        raise DataError(
            f"'{found.source}' holds {len(answers)} distinct conversations, {_FEWEST} are the fewest to learn from",
            "give more: 50 to 100 good ones teach a form of answer, hundreds a skill",
        )
    if differ and len(set(answers)) == 1:
        raise DataError(
            f"'{found.source}' answers everything alike: {answers[0][:60]!r}", "give questions with different answers"
        )


def _groups(questions: Sequence[str]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Which questions must be on one side of a split, and what people should know of it."""
    copies = find_copies(questions)
    largest = np.bincount(copies.near).max() / len(questions)
    if largest <= _LARGEST_GROUP:
        return copies.near, ()
    return copies.same, (
        f"{largest:.0%} of the questions are near copies of each other: they are on all sides of the split, and "
        "held-out figures are about further questions of this form, not about other ones",
    )


def read(source: str, preprocessing: Mapping[str, Any]) -> Split:
    """The conversations of another source. Raises DataError."""
    data = ConversationData.model_validate({**preprocessing["columns"], "source": source})

    def check(messages: Any, tools: Any) -> None:
        messages_of(messages), tools_of(tools)

    return as_split(read_conversations(data, check, "either").items)
