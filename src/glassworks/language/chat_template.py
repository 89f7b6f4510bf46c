"""Chat templates: messages become the text that a model was trained on, in a sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols

from glassworks.errors import InputError
from glassworks.language.template_sandbox import Sandbox, budgeted, refuse
from glassworks.language.tokenizer import LanguageTokenizer

_PRIVATE = 0xF0000
"""Where code points begin that no text uses."""


class ChatTemplate:
    """A model's own template (Jinja). Thread-safe."""

    def __init__(self, source: str, tokenizer: LanguageTokenizer, special: Mapping[str, str]) -> None:
        """`special` are texts that templates name, such as `bos_token`. Raises InputError for what does not compile."""
        self.source, self._tokenizer, self._special = source, tokenizer, special
        try:
            self._template = _environment().from_string(source)
        except jinja2.TemplateError as error:
            raise InputError(f"the chat template cannot be read: {error}", "give another one: chat_template") from None

    @property
    def takes_tools(self) -> bool:
        """Whether the template shows tools to the model."""
        return "tools" in self.source

    def ids(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Any] = (),
        *,
        answer: bool = True,
        most: int | None = None,
        **further: Any,
    ) -> list[int]:
        """Token ids of a conversation, and where `answer`, of what begins an answer. `further` are the template's own
        variables. Special tokens in contents stay text. Raises InputError, with the template's words where it refuses,
        and for contents that cannot be `most` tokens.
        """
        marks, shown, named = self._shown(messages, tools, most)
        return self._ids(self._conversation(shown, named, answer=answer, **further), marks)

    def turns(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any] = ()
    ) -> list[tuple[list[int], bool]] | None:
        """The same without `answer` in parts: token ids, and whether they are learned, as all are that an assistant
        wrote but those of `weight` 0; what the template puts at the end of a turn belongs to it. As in a conversation
        that is answered, no token reaches over such a border.

        None where the text up to a turn is no beginning of the whole: templates may show earlier turns otherwise.
        Raises InputError as `ids` does.
        """
        marks, shown, named = self._shown(messages, tools, None)
        whole, at, found = self._conversation(shown, named, answer=False), 0, list[tuple[list[int], bool]]()
        for index, message in enumerate(messages):
            if message.get("role") != "assistant":
                continue
            begin = self._conversation(shown[:index], named, answer=True)
            end = self._conversation(shown[: index + 1], named, answer=False)
            if len(begin) < at or not (whole.startswith(end) and end.startswith(begin)):
                return None
            found += (
                (self._ids(whole[at : len(begin)], marks), False),
                (self._ids(end[len(begin) :], marks), bool(message.get("weight", 1))),
            )
            at = len(end)
        return [*found, (self._ids(whole[at:], marks), False)]

    def _shown(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any], most: int | None
    ) -> tuple[Mapping[str, str], list[Any], Any]:
        """Characters that stand for special tokens in contents, and messages and tools with them."""
        try:
            texts = list(_texts([list(messages), list(tools)]))
            if most is not None:
                self._tokenizer.require_within(sum(map(len, texts)), most)
            marks = _marks(tuple(self._tokenizer.special), "\0".join(texts))
            return marks, [_hidden(self._known(each), marks) for each in messages], _hidden(list(tools), marks) or None
        except RecursionError:
            raise InputError("messages or tools are nested too deeply", "send them less deep") from None

    def _ids(self, text: str, marks: Mapping[str, str]) -> list[int]:
        return self._tokenizer.with_special(text, {mark: token for token, mark in marks.items()})

    def _known(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """A developer is the system to a template that knows no developers."""
        unknown = message.get("role") == "developer" and "developer" not in self.source
        return {**message, "role": "system"} if unknown else message

    def _conversation(self, messages: Sequence[Any], tools: Any, *, answer: bool, **further: Any) -> str:
        return self._rendered(messages=messages, tools=tools, add_generation_prompt=answer, **further)

    def _rendered(self, **variables: Any) -> str:
        try:
            with budgeted():
                return self._template.render(**self._special, **variables)
        except Exception as error:  # noqa: BLE001 - a template raises whatever its expressions do
            raise InputError(
                f"the model's chat template refuses these messages: {error}", "change the roles or contents it names"
            ) from None


def _marks(special: Sequence[str], content: str) -> Mapping[str, str]:
    """For each special token that stands in users' content a character that does not; it stands in for the token while
    the template is rendered."""
    found = [token for token in special if token in content]
    unused = (chr(code) for code in range(_PRIVATE, _PRIVATE + 2**16) if chr(code) not in content)
    return dict(zip(found, unused, strict=False))


def _texts(value: Any) -> Iterator[str]:
    """All of them, names of fields too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from (*_texts(key), *_texts(each))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _hidden(value: Any, marks: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for token, mark in marks.items():
            value = value.replace(token, mark)
    elif isinstance(value, Mapping):
        return {_hidden(key, marks): _hidden(each, marks) for key, each in value.items()}
    elif isinstance(value, list | tuple):
        return [_hidden(each, marks) for each in value]
    return value


class _Generation(Extension):
    """`{% generation %}` marks answers for training; rendering shows what is inside."""

    tags = {"generation"}

    def parse(self, parser: Any) -> list[nodes.Node]:
        next(parser.stream)
        body: list[nodes.Node] = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return body


def _environment() -> Sandbox:
    environment = Sandbox(
        {"tojson": _json}, trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().astimezone().strftime(form)
    return environment


def _json(value: Any, indent: int | None = None, **_: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)
