"""A prompt in parts: words, sentences, passages or turns. Together they are every character that somebody wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any, Literal, get_args

from glassworks.errors import InputError
from glassworks.language.conversations import messages_of, tools_of
from glassworks.text.words import word_spans

Kind = Literal["words", "sentences", "passages", "turns"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_LOCALE = "en"
"""Of ICU; the ends of sentences hardly depend on it."""
_PARAGRAPH = "\n\n"


@dataclass(frozen=True, kw_only=True)
class Part:
    """Characters `start` ... `end` of a message's content, or of the plain prompt, where `message` is None.

    Of a content that is a list of texts, these are the characters of the texts joined by line breaks.
    """

    text: str
    start: int
    end: int
    message: int | None = None
    role: str = ""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a model is asked: a plain `text`, or else `messages` and the `tools` that it may call."""

    text: str = ""
    messages: Sequence[Mapping[str, Any]] | None = None
    tools: Sequence[Any] = ()

    def contents(self) -> list[Part]:
        """Each turn as a whole, those without a character too."""
        if self.messages is None:
            return [Part(text=self.text, start=0, end=len(self.text))]
        return [
            Part(text=each["content"], start=0, end=len(each["content"]), message=number, role=str(each["role"]))
            for number, each in enumerate(self.messages)
        ]

    def having(self, parts: Sequence[Part]) -> tuple[str, dict[str, Any]]:
        """Text and parameters of the same question with these parts alone, in their order; what a template writes
        around them stays, and so do turns without any.
        """
        if self.messages is None:
            return "".join(part.text for part in parts), {}
        left = {number: list[str]() for number in range(len(self.messages))}
        for part in parts:
            left[part.message or 0].append(part.text)
        messages = [{**each, "content": "".join(left[number])} for number, each in enumerate(self.messages)]
        return "", {"messages": messages, **({"tools": list(self.tools)} if self.tools else {})}


def question_of(text: bytes | str, messages: Any = None, tools: Any = None) -> Question:
    """A checked question. Raises InputError."""
    if messages is not None:
        return Question(messages=messages_of(messages), tools=tools_of(tools))
    if tools:
        raise InputError("tools are given without messages", "send a conversation: messages")
    try:
        return Question(text=text if isinstance(text, str) else text.decode())
    except UnicodeDecodeError as error:
        raise InputError(f"the text is not valid UTF-8: byte {error.start}", "send texts in UTF-8") from None


def parts_of(question: Question, kind: Kind, passages: Sequence[Sequence[int]] = ()) -> list[Part]:
    """The parts of a question; none is empty.

    `passages` are (message, start, end) of what was retrieved, or (start, end) of a plain prompt: what stands between
    them are parts too. Without them, passages are what blank lines divide.
    """
    found = list[Part]()
    for turn in question.contents():
        given = _given(turn, passages) if kind == "passages" else []
        found += _cut(turn, given or _ends(turn.text, kind))
    left = len(passages) - sum(len(_given(turn, passages)) // 2 for turn in question.contents())
    if kind == "passages" and left:
        raise InputError(f"{left} of the passages lie in no message", "give (message, start, end) of what is there")
    return found


def merged(parts: Sequence[Part], most: int) -> list[Part]:
    """Neighbors joined until there are about `most` parts, of about as many characters each; none joins two turns."""
    turns = len({part.message for part in parts})
    share, seen = sum(len(part.text) for part in parts) / max(1, most - turns), 0
    groups = dict[tuple[int | None, int], list[Part]]()
    for part in parts:
        groups.setdefault((part.message, int((seen + len(part.text) / 2) / share)), []).append(part)
        seen += len(part.text)
    return [
        replace(group[0], text="".join(part.text for part in group), end=group[-1].end) for group in groups.values()
    ]


def _ends(text: str, kind: Kind) -> list[int]:
    if kind == "words":
        return [end for _, end in word_spans(text)]
    if kind == "sentences":
        return _sentences(text)
    if kind == "passages":
        return [*accumulate(map(len, _paragraphs(text)))]
    return [len(text)]


def _sentences(text: str) -> list[int]:
    """Ends of sentences by the rules of Unicode (UAX 29), in any language; what is blank goes with the one before."""
    from icu4py.breakers import SentenceBreaker

    ends = [*accumulate(map(len, SentenceBreaker(text, _LOCALE)))] if text else []
    begins = [0, *ends[:-1]]
    return [
        end
        for number, end in enumerate(ends)
        if number + 1 == len(ends) or text[begins[number + 1] : ends[number + 1]].strip() or not text[:end].strip()
    ]


def _paragraphs(text: str) -> list[str]:
    """Each with the blank lines behind it."""
    found = list[str]()
    for block in text.split(_PARAGRAPH):
        if found and (not block.strip() or not found[-1].strip()):
            found[-1] += _PARAGRAPH + block
        elif found:
            found[-1] += _PARAGRAPH
            found.append(block)
        else:
            found.append(block)
    return found


def _given(turn: Part, passages: Sequence[Sequence[int]]) -> list[int]:
    """Beginnings and ends of the passages in a turn. Raises InputError for those that overlap or lie outside."""
    mine = [list(each)[-2:] for each in passages if (each[0] if len(each) == 3 else None) == turn.message]
    bounds = [bound for each in sorted(mine) for bound in each]
    if bounds != sorted(bounds) or any(not 0 <= bound <= len(turn.text) for bound in bounds):
        where = "the prompt" if turn.message is None else f"messages[{turn.message}]"
        problem = f"passages {mine!r:.200} overlap or lie outside of {where}"
        raise InputError(problem, "give the characters (start, end) of each")
    return bounds


def _cut(turn: Part, ends: Sequence[int]) -> list[Part]:
    bounds = sorted({0, *ends, len(turn.text)})
    return [
        Part(text=turn.text[begin:end], start=begin, end=end, message=turn.message, role=turn.role)
        for begin, end in pairwise(bounds)
    ]
