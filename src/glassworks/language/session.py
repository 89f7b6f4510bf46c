"""A session that answers texts and conversations, whole or in parts."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.contracts import Chunk, Session, Signature, TensorSpec
from glassworks.errors import InputError
from glassworks.language.chat_template import ChatTemplate
from glassworks.language.continuous_batching import ContinuousBatching, EngineSettings
from glassworks.language.parameters import Asked, asked_of
from glassworks.language.settings import TOKENIZER, read_settings
from glassworks.language.tokenizer import LanguageTokenizer, StopMatcher

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors

INPUT, OUTPUT = "text", "generated"
MESSAGES = "messages"
"""The parameter that holds a conversation in JSON; the text is then not looked at."""
_ROWS = 32


class LanguageSession(Session):
    """Texts in, texts out. `run` answers with the defaults; `stream` takes one row and the parameters of
    `parameters.Asked`, and gives the answer as it comes: no character is broken, and the parts together are the whole.
    """

    def __init__(self, folder: Path, engine: EngineSettings) -> None:
        """`folder` is what `importing.write` wrote. Raises BundleError."""
        self._settings = read_settings(folder)
        self._tokenizer = LanguageTokenizer.read(folder / TOKENIZER)
        template, special = self._settings.chat_template, self._settings.special
        self._template = ChatTemplate(template, self._tokenizer, special) if template else None
        self._engine = ContinuousBatching(folder, engine)
        self._context = min(self._settings.context, engine.cache_tokens)
        self._rows = ThreadPoolExecutor(_ROWS, "answers")
        self.signature = signature()

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        found = np.empty(len(tensors[INPUT]), object)
        found[:] = list(self._rows.map(self._whole, tensors[INPUT].tolist()))
        return {OUTPUT: found}

    def stream(self, tensors: Tensors, parameters: Mapping[str, Any]) -> Generator[Chunk, None, None]:
        (text,) = tensors[INPUT].tolist()
        asked = asked_of(parameters, self._settings.stop_ids)
        ids = self._prompt(text, parameters)
        sampling = asked.sampling(self._room(ids, asked))
        decoder, stops, count = self._tokenizer.decoder(), StopMatcher(asked.stop), 0
        for part in self._engine.generate(ids, sampling):
            count += len(part.ids)
            shown, reason = stops.feed(decoder.feed(part.ids)), part.finish_reason
            if reason:
                shown += stops.feed(decoder.finish())
            if stops.stopped:
                reason = "stop"
            elif reason:
                shown += stops.finish()
            if shown or reason:
                yield _chunk(shown, len(ids), count, reason)
            if reason:
                return

    def close(self) -> None:
        self._rows.shutdown(cancel_futures=True)
        self._engine.close()

    def _whole(self, text: bytes | str) -> bytes:
        row = np.array([text], object)
        return b"".join(chunk.outputs[OUTPUT].tolist()[0] for chunk in self.stream({INPUT: row}, {}))

    def _prompt(self, text: bytes | str, parameters: Mapping[str, Any]) -> list[int]:
        if MESSAGES in parameters:
            return self._conversation(parameters[MESSAGES])
        try:
            ids = self._tokenizer.prompt(text if isinstance(text, str) else text.decode())
        except UnicodeDecodeError as error:
            raise InputError(f"the text is not valid UTF-8: byte {error.start}", "send texts in UTF-8") from None
        if not ids:
            raise InputError("the prompt is empty", "send at least one character")
        return ids

    def _conversation(self, content: Any) -> list[int]:
        if self._template is None:
            raise InputError("this model holds no conversations: it has no chat template", "send a plain prompt")
        try:
            messages = json.loads(content) if isinstance(content, str) else content
        except ValueError as error:
            raise InputError(f"messages are no JSON: {error}", "send a list of objects with role and content") from None
        return self._template.ids(messages)

    def _room(self, ids: Sequence[int], asked: Asked) -> int:
        """How many tokens the answer may have. Raises InputError where the context does not hold the prompt."""
        left = self._context - len(ids)
        if left < 1 or (asked.max_tokens or 0) > left:
            wanted = f" and {asked.max_tokens} of the answer" if asked.max_tokens else ""
            raise InputError(
                f"context_length_exceeded: the prompt's {len(ids)} tokens{wanted} do not fit into {self._context}",
                "send a shorter prompt, or ask for fewer tokens",
            )
        return asked.max_tokens or left


def signature() -> Signature:
    """Texts in, texts out."""
    return Signature(
        inputs=(TensorSpec(name=INPUT, datatype="BYTES", shape=(-1,)),),
        outputs=(TensorSpec(name=OUTPUT, datatype="BYTES", shape=(-1,)),),
    )


def _chunk(text: str, prompt: int, count: int, reason: str) -> Chunk:
    content = np.empty(1, object)
    content[0] = text.encode()
    return Chunk(outputs={OUTPUT: content}, prompt_tokens=prompt, completion_tokens=count, finish_reason=reason)
