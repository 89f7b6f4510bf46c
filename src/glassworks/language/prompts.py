"""What a request asks becomes the ids that a model is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from glassworks.errors import InputError
from glassworks.language.answer_text import THINK, THOUGHT, AnswerText
from glassworks.language.chat_template import ChatTemplate
from glassworks.language.conversations import chosen, messages_of, tools_of
from glassworks.language.examples import Example, examples_of
from glassworks.language.parameters import Asked
from glassworks.language.settings import LanguageSettings
from glassworks.language.tokenizer import LanguageTokenizer
from glassworks.language.tool_calls import CLOSING, OPENING, PYTHON_TAG, Form, form_of

_MARKS = (THINK, THOUGHT, OPENING, CLOSING, PYTHON_TAG)
_END_TOKENS = 8
"""How many tokens at the end of a prompt can begin the answer's reasoning."""


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """Ids, and how the answer to them is read: whether it `reasons`, or does so from its beginning (`inside`), and in
    which `form` it calls `tools`, which it must where `required`.
    """

    ids: list[int]
    reasons: bool = False
    inside: bool = False
    form: Form | None = None
    tools: Sequence[dict[str, Any]] = ()
    required: bool = False

    def text(self) -> AnswerText:
        """A reader of the answer."""
        return AnswerText(reasoning=self.reasons, inside=self.inside, form=self.form)


class Prompts:
    """Plain texts, conversations and ids, as one model takes them. Thread-safe."""

    def __init__(self, settings: LanguageSettings, tokenizer: LanguageTokenizer) -> None:
        """Raises InputError for a chat template that cannot be read."""
        self._context, self._stop_ids = settings.context, settings.stop_ids
        self._tokenizer, self._vocabulary = tokenizer, settings.architecture.vocabulary
        template, special = settings.chat_template, settings.special
        self._template = ChatTemplate(template, tokenizer, special) if template else None
        self._reasons = THINK in template or THINK in tokenizer.special
        self.marks = frozenset(tokenizer.special[mark] for mark in _MARKS if mark in tokenizer.special)
        """Special tokens by which an answer is cut into its parts."""

    def prompt(self, text: bytes | str, asked: Asked) -> Prompt:
        """That of the conversation or the ids that are asked, else of the text. Raises InputError."""
        if asked.messages is not None:
            if asked.prompt_ids is not None:
                raise InputError("messages and prompt_ids are given", "give one of them")
            return self._conversation(asked)
        if asked.tools:
            raise InputError("tools are given without messages", "send a conversation: messages")
        ids = self._text(text, asked) if asked.prompt_ids is None else self._checked(asked.prompt_ids)
        if not ids:
            raise InputError("the prompt is empty", "send at least one character")
        return Prompt(ids=ids)

    def examples(self, messages: Any, tools: Any) -> list[Example]:
        """A conversation whose answers are known. Raises InputError."""
        if self._template is None:
            raise InputError("this model holds no conversations: it has no chat template", "send a plain prompt")
        return examples_of(self._template, messages_of(messages), tools_of(tools), self._stop_ids)

    def plain(self, text: bytes | str) -> list[int]:
        """Ids of a text, with what the model wants at its beginning. Raises InputError."""
        return self._tokenizer.prompt(_decoded(text))

    def _text(self, text: bytes | str, asked: Asked) -> list[int]:
        self._tokenizer.require_within(len(text), self._context)
        if asked.add_special_tokens:
            return self.plain(text)
        alone = self._tokenizer.special.get(_decoded(text))
        return [alone] if alone is not None else self._tokenizer.encode(_decoded(text))

    def _checked(self, ids: Any) -> list[int]:
        most = min(self._tokenizer.size, self._vocabulary) - 1
        if not isinstance(ids, Sequence) or isinstance(ids, str | bytes):
            raise InputError(f"prompt_ids is {ids!r:.100}", "give a list of token ids")
        for number in ids:
            if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= most:
                raise InputError(f"prompt_ids holds {number!r:.100}", f"tokens are numbers from 0 to {most}")
        return list(ids)

    def _conversation(self, asked: Asked) -> Prompt:
        if self._template is None:
            raise InputError("this model holds no conversations: it has no chat template", "send a plain prompt")
        choice, tools = chosen(asked.tool_choice, tools_of(asked.tools))
        form = self._form() if tools else None
        ids = self._template.ids(messages_of(asked.messages), tools, most=self._context)
        end = "".join(self._tokenizer.described(each)["token"] for each in ids[-_END_TOKENS:])
        return Prompt(
            ids=ids,
            reasons=self._reasons,
            inside=self._reasons and end.rstrip().endswith(THINK),
            form=form,
            tools=tools,
            required=choice == "required",
        )

    def _form(self) -> Form:
        template = self._template
        form = form_of(template.source) if template and template.takes_tools else None
        if form is None:
            raise InputError(
                "this model cannot call tools: its chat template shows none, or teaches a form that is not known",
                "send the request without tools, or to a model that was trained to call them",
            )
        return form


def _decoded(text: bytes | str) -> str:
    try:
        return text if isinstance(text, str) else text.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"the text is not valid UTF-8: byte {error.start}", "send texts in UTF-8") from None
