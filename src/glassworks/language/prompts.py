"""What a request asks becomes the ids that a model is given."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from glassworks.errors import InputError
from glassworks.language.chat_template import ChatTemplate
from glassworks.language.parameters import Asked
from glassworks.language.settings import LanguageSettings
from glassworks.language.tokenizer import LanguageTokenizer


class Prompts:
    """Plain texts, conversations and ids, as one model takes them. Thread-safe."""

    def __init__(self, settings: LanguageSettings, tokenizer: LanguageTokenizer) -> None:
        """Raises InputError for a chat template that cannot be read."""
        self._tokenizer, self._vocabulary = tokenizer, settings.architecture.vocabulary
        template, special = settings.chat_template, settings.special
        self._template = ChatTemplate(template, tokenizer, special) if template else None

    def ids(self, text: bytes | str, asked: Asked) -> list[int]:
        """Those of the conversation or the ids that are asked, else of the text. Raises InputError."""
        if asked.messages is not None and asked.prompt_ids is not None:
            raise InputError("messages and prompt_ids are given", "give one of them")
        if asked.messages is not None:
            found = self._conversation(asked.messages)
        else:
            found = self.plain(text) if asked.prompt_ids is None else self._checked(asked.prompt_ids)
        if not found:
            raise InputError("the prompt is empty", "send at least one character")
        return found

    def plain(self, text: bytes | str) -> list[int]:
        """Ids of a text, with what the model wants at its beginning. Raises InputError."""
        try:
            return self._tokenizer.prompt(text if isinstance(text, str) else text.decode())
        except UnicodeDecodeError as error:
            raise InputError(f"the text is not valid UTF-8: byte {error.start}", "send texts in UTF-8") from None

    def _checked(self, ids: Any) -> list[int]:
        most = min(self._tokenizer.size, self._vocabulary) - 1
        if not isinstance(ids, Sequence) or isinstance(ids, str | bytes):
            raise InputError(f"prompt_ids is {ids!r:.100}", "give a list of token ids")
        for number in ids:
            if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= most:
                raise InputError(f"prompt_ids holds {number!r:.100}", f"tokens are numbers from 0 to {most}")
        return list(ids)

    def _conversation(self, content: Any) -> list[int]:
        if self._template is None:
            raise InputError("this model holds no conversations: it has no chat template", "send a plain prompt")
        try:
            messages = json.loads(content) if isinstance(content, str) else content
        except ValueError as error:
            raise InputError(f"messages are no JSON: {error}", "send a list of objects with role and content") from None
        return self._template.ids(messages)
