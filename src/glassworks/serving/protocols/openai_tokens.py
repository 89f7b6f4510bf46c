"""Tokens of texts and conversations, and back, as vLLM's clients and evaluation harnesses ask for them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from glassworks.contracts import Generation
from glassworks.serving.endpoints import Context, Protocol, Schema, endpoint
from glassworks.serving.failures import WrongParameter
from glassworks.serving.protocols._openai.answering import Asking, object_of
from glassworks.serving.protocols._openai.collected import tokens_of
from glassworks.serving.protocols._openai.fields import Fields
from glassworks.serving.protocols._openai.messages import messages_of, tools_of
from glassworks.serving.protocols._openai.probabilities import Token, text_of
from glassworks.serving.transports.http.exchange import Answer, Exchange, json_answer, token

_TOKENIZE = Schema("TokenizeRequest", {"type": "object", "properties": {"model": {"type": "string"}}})
_DETOKENIZE = Schema(
    "DetokenizeRequest",
    {"type": "object", "required": ["tokens"], "properties": {"tokens": {"type": "array"}}},
)
_NAMES = {"prompt_ids": "tokens", "text": "prompt", "prompt": "prompt"}


class OpenAITokens(Protocol):
    """Over a dispatcher. The model may be left out where one that writes is served."""

    def __init__(self, context: Context) -> None:
        self._dispatcher = context.dispatcher

    @endpoint("POST", "/tokenize", "tokenize", "The tokens of a text or of messages.", takes=_TOKENIZE)
    async def tokenize(self, exchange: Exchange) -> Answer:
        """POST /tokenize"""
        fields = Fields(await object_of(self._dispatcher, exchange))
        asking = self._asking(exchange, fields.text("model"))
        shown, special = fields.flag("return_token_strs"), fields.flag("add_special_tokens", True)
        text, parameters = _prompt(fields, special)
        fields.end()
        tokens, room = await _tokens(asking, text, parameters)
        answer: dict[str, Any] = {"count": len(tokens), "max_model_len": len(tokens) + room}
        answer["tokens"] = [each.id for each in tokens]
        if shown:
            answer["token_strs"] = [each.token for each in tokens]
        return json_answer(answer)

    @endpoint("POST", "/detokenize", "detokenize", "The text of tokens.", takes=_DETOKENIZE)
    async def detokenize(self, exchange: Exchange) -> Answer:
        """POST /detokenize"""
        fields = Fields(await object_of(self._dispatcher, exchange))
        asking = self._asking(exchange, fields.text("model"))
        ids = fields.needed("tokens", "give a list of token ids")
        fields.end()
        tokens, _ = await _tokens(asking, "", {"prompt_ids": ids}) if ids != [] else ([], 0)
        return json_answer({"prompt": text_of(tokens)})

    @endpoint("GET", "/tokenizer_info", "tokenizerInfo", "Special tokens and chat template of a model.")
    def info(self, exchange: Exchange) -> Answer:
        """GET /tokenizer_info[?model=NAME]"""
        query = parse_qs(exchange.target.partition(b"?")[2].decode("latin-1"))
        about = self._asking(exchange, query.get("model", [""])[0]).model.manifest.preprocessing
        special = about.get("special")
        names: Mapping[str, Any] = special if isinstance(special, dict) else {}
        return json_answer(
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                **{name: names.get(name) for name in ("bos_token", "eos_token", "pad_token", "unk_token")},
                **names,
                "chat_template": about.get("chat_template") or None,
                "model_max_length": about.get("context"),
                "vocab_size": about.get("vocabulary"),
            }
        )

    def _asking(self, exchange: Exchange, model: str) -> Asking:
        return Asking(self._dispatcher, exchange, model or self._only(exchange), _NAMES)

    def _only(self, exchange: Exchange) -> str:
        """The one model that writes, of those that the caller may see."""
        loaded = self._dispatcher.models.loaded()
        names = {each.name for each in loaded if isinstance(each.opened.task, Generation)}
        seen = sorted(self._dispatcher.admission.visible(token(exchange), names))
        if len(seen) == 1:
            return seen[0]
        known = f"there are: {', '.join(seen)}" if seen else "none that writes text is served here"
        raise WrongParameter(
            "the request does not say which model is meant", f"name it: {known}", "model", "missing_required_parameter"
        )


def _prompt(fields: Fields, special: bool) -> tuple[str, dict[str, Any]]:
    """What is to become tokens: a conversation as the model is shown it, or a text."""
    messages = fields.take("messages")
    if messages is None:
        prompt = fields.needed("prompt", "give prompt, a text, or messages")
        if not isinstance(prompt, str):
            raise fields.wrong("prompt", prompt, "give a text")
        return prompt, {"add_special_tokens": special}
    fields.only("add_generation_prompt", True)
    tools = tools_of(fields.rows("tools"))
    return "", {"messages": messages_of(messages), **({"tools": tools} if tools else {})}


async def _tokens(asking: Asking, text: str, parameters: Mapping[str, Any]) -> tuple[list[Token], int]:
    """Tokens, and how many more the context holds."""
    first, parts = await asking.open(text, {**parameters, "tokenize": True})
    async with contextlib.aclosing(parts):
        return tokens_of(first, "prompt_tokens"), first.chunk.max_tokens if first.chunk is not None else 0
