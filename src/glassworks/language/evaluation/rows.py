"""A row of a table becomes an example: what is asked, and what is known of the answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from glassworks.data.conversations.forms import listed, messages_of_list, tools_of_cell
from glassworks.data.conversations.keys import ConversationData
from glassworks.data.conversations.preferences import preference_of
from glassworks.data.tabular.missing import is_missing
from glassworks.errors import InputError
from glassworks.language.conversations import messages_of, tools_of
from glassworks.language.evaluation.columns import needed

NOTHING = frozenset(("NaN", "nan", "<NA>"))
"""What pandas writes where there is nothing; None or NA can be an answer."""
_FIELD = re.compile(r"\{([^{}]+)\}")
_MOST_CHOICES = 100


@dataclass(frozen=True, kw_only=True)
class Example:
    """One row: where it is, what is asked, and what is known of the answer.

    `messages` are a conversation before its answer; without them the `prompt` is a plain text. `text` is what is read
    for perplexity alone. `rejected` is another answer than the last message, which is preferred. `response` and
    `score` are an answer and what somebody thinks of it.
    """

    id: str
    prompt: str = ""
    messages: tuple[Mapping[str, Any], ...] = ()
    tools: tuple[Mapping[str, Any], ...] = ()
    expected: str = ""
    choices: tuple[str, ...] = ()
    text: str = ""
    rejected: tuple[Mapping[str, Any], ...] = ()
    response: str = ""
    score: str = ""


@dataclass(frozen=True)
class Reading:
    """How a row becomes an example."""

    roles: Mapping[str, str]
    measured: str
    template: str
    chats: bool
    system: str

    def example(self, where: str, record: Mapping[str, Any]) -> Example:
        """Raises InputError."""
        for role in needed(self.measured):
            if all(is_missing(record.get(name), NOTHING) for name in self.roles[role].split("+")):
                raise InputError(f"'{self.roles[role]}' is empty", "fill it, or take the row away")
        own = str(self._of(record, "id") or where)
        if self.measured == "texts":
            return Example(id=own, text=str(self._of(record, "text")))
        if self.measured == "conversations":
            messages = messages_of_list(listed(self._of(record, "messages")))
            tools = self._of(record, "tools")
            return self._conversation(own, messages, [] if is_missing(tools, NOTHING) else tools_of_cell(tools))
        if self.measured == "preferences":
            return self._preference(own, record)
        prompt = self._prompt(record)
        choices = self._choices(record) if self.measured == "multiple choice" else {}
        expected = self._expected(record, choices)
        response, score = (self._of(record, role) for role in ("response", "score"))
        return Example(
            id=own,
            prompt=prompt,
            messages=self._messages(prompt),
            expected=expected,
            choices=tuple(choices.values()),
            response="" if is_missing(response, NOTHING) else written(response),
            score="" if is_missing(score, NOTHING) else written(score).strip(),
        )

    def _of(self, record: Mapping[str, Any], role: str) -> Any:
        return record.get(self.roles.get(role, ""))

    def _prompt(self, record: Mapping[str, Any]) -> str:
        if not self.template:
            return written(self._of(record, "prompt"))
        return _FIELD.sub(lambda match: self._field(record, match[1]), self.template)

    def _field(self, record: Mapping[str, Any], name: str) -> str:
        column = name if name in record else self.roles.get(name, "")
        if column not in record:
            raise InputError(f"the prompt names '{{{name:.40}}}', which is no column", "columns stand in braces")
        return written(record[column])

    def _messages(self, prompt: str) -> tuple[Mapping[str, Any], ...]:
        if not self.chats:
            return ()
        system = [{"role": "system", "content": self.system}] if self.system else []
        return (*system, {"role": "user", "content": prompt})

    def _preference(self, own: str, record: Mapping[str, Any]) -> Example:
        names = self.roles["preferred"], self.roles["rejected"]
        data = ConversationData(
            source="jsonl:rows", prompt=self.roles.get("prompt", "prompt"), preferred=names[0], rejected=names[1]
        )
        found = preference_of(record, names, data)
        tools = [] if is_missing(found["tools"], NOTHING) else tools_of_cell(found["tools"])
        return replace(self._conversation(own, found["messages"], tools), rejected=tuple(found["rejected"]))

    def _conversation(self, own: str, given: Any, asked: Any) -> Example:
        messages, tools = messages_of(given), tools_of(asked)
        if messages[-1]["role"] != "assistant" or len(messages) == 1:
            raise InputError("its last message is not the assistant's answer", "end it with the expected answer")
        if not self.chats:
            raise InputError("the model holds no conversations: it has no chat template", "give questions and answers")
        if self.system and not any(each["role"] in ("system", "developer") for each in messages):
            messages = [{"role": "system", "content": self.system}, *messages]
        asked = [each["content"] for each in messages[:-1] if each["role"] == "user"]
        expected = str(messages[-1]["content"])
        return Example(
            id=own,
            prompt=asked[-1] if asked else "",
            messages=tuple(messages),
            tools=tuple(tools),
            expected=expected,
        )

    def _choices(self, record: Mapping[str, Any]) -> dict[str, str]:
        """By their labels."""
        columns = self.roles["choices"].split("+")
        if len(columns) > 1:
            found: Any = [record.get(column) for column in columns]
        else:
            found = _parsed(record.get(columns[0]))
        if isinstance(found, Mapping) and all(isinstance(found.get(key), list) for key in ("text", "label")):
            labels, texts = list(map(str, found["label"])), list(map(written, found["text"]))
        elif isinstance(found, Mapping):
            labels, texts = list(map(str, found)), list(map(written, found.values()))
        elif isinstance(found, Sequence) and not isinstance(found, str):
            texts = list(map(written, found))
            labels = [chr(ord("A") + number) for number in range(len(texts))]
        else:
            raise InputError(f"its choices are no list: {found!r:.60}", 'write them as JSON: ["one", "two"]')
        if not 2 <= len(texts) <= _MOST_CHOICES or not all(text.strip() for text in texts):
            raise InputError(f"it has {len(texts)} choices, or an empty one", f"give 2 to {_MOST_CHOICES}, with texts")
        if not len(set(texts)) == len(set(labels)) == len(texts) == len(labels):
            raise InputError("two of its choices or labels are the same, or some are missing", "give different ones")
        return dict(zip(labels, texts, strict=True))

    def _expected(self, record: Mapping[str, Any], choices: Mapping[str, str]) -> str:
        given = _parsed(self._of(record, "answer")) if choices else self._of(record, "answer")
        if not choices:
            return "" if given is None else written(given)
        return _right(given, choices)


def _right(given: Any, choices: Mapping[str, str]) -> str:
    """The choice that is meant: by its text, its label, or its number, where 0 is the first."""
    texts = list(choices.values())
    if isinstance(given, bool) or given is None:
        raise InputError(f"its answer is {given!r}", "give the text, the letter or the number of a choice")
    answer = written(given).strip()
    for text in texts:
        if answer == text.strip() and not isinstance(given, int):
            return text
    if answer in choices:
        return choices[answer]
    if re.fullmatch(r"[0-9]{1,3}", answer, re.ASCII) and int(answer) < len(texts):
        return texts[int(answer)]
    raise InputError(f"its answer {answer!r:.60} is none of the choices", "give its text, its letter, or its number")


def written(value: Any) -> str:
    """A cell as a text that can be written: what is no plain value as JSON."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return json.dumps(value, ensure_ascii=False, default=str)


def _parsed(value: Any) -> Any:
    """What JSON in a cell says; a text that is none stays one."""
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        return listed(value)
    return value
