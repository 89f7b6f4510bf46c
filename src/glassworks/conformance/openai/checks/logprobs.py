"""Log-probabilities of chat: one entry a token, alternatives in order, numbers that can be true."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from glassworks.conformance.openai.answers import Answer
from glassworks.conformance.openai.client import Client, optional, said, same
from glassworks.conformance.target import Failed

_CHAT = "/chat/completions"
_TOP = 5
_NEAR, _ROUNDED = 1e-3, 0.25
_SUM = 1.001
_WORDS = ("logprob",)


def o6_tokens_join_to_the_text(client: Client) -> None:
    """logprobs.content has the answer's tokens: as many as were generated, whose bytes are the text."""
    found = _asked(client)
    if not found.tokens - 1 <= len(found.logprobs) <= found.tokens:
        raise Failed(f"{len(found.logprobs)} entries for {found.tokens} tokens")
    joined = b"".join(_bytes(each) for each in found.logprobs).decode(errors="replace")
    same(joined, found.text, "the bytes of all tokens")


def o6_bytes_are_those_of_the_token(client: Client) -> None:
    """token is the text of bytes, wherever that is a text (complaint 7)."""
    for each in _asked(client).logprobs:
        _agrees(each)
        for other in each["top_logprobs"]:
            _agrees(other)


def o6_numbers_can_be_true(client: Client) -> None:
    """Each logprob is at most 0, and the probabilities of the alternatives are at most 1 together."""
    for each in _asked(client).logprobs:
        numbers = [each["logprob"], *(other["logprob"] for other in each["top_logprobs"])]
        if any(not isinstance(number, int | float) or math.isnan(number) or number > _NEAR for number in numbers):
            raise Failed(f"log-probabilities {numbers}")
        if sum(math.exp(number) for number in numbers[1:]) > _SUM:
            raise Failed(f"probabilities of more than 1 together: {numbers[1:]}")


def o6_alternatives(client: Client) -> None:
    """top_logprobs are as many as asked for, as a list, the likeliest first; a greedy token is their first, but for the
    rounding of servers that write answers in 8 bits and score them exactly (complaint 7)."""
    for each in _asked(client).logprobs:
        top = each["top_logprobs"]
        if not isinstance(top, list):
            raise Failed(f"top_logprobs is a {type(top).__name__}, which merges tokens of one text")
        same(len(top), _TOP, "how many alternatives")
        numbers = [other["logprob"] for other in top]
        same(numbers, sorted(numbers, reverse=True), "order of alternatives")
        if abs(numbers[0] - each["logprob"]) > _ROUNDED:
            raise Failed(f"the greedy token has {each['logprob']}, the likeliest {numbers[0]}")
        same(_bytes(each) in [_bytes(other) for other in top], True, "whether the chosen token is among them")


def o6_zero_alternatives(client: Client) -> None:
    """With top_logprobs 0, or without it, only the chosen tokens come, with the same numbers."""
    whole = _asked(client)
    for more in ({"top_logprobs": 0}, {}):
        found = client.chat(logprobs=True, **more)
        same([each["top_logprobs"] for each in found.logprobs if each["top_logprobs"]], [], "alternatives")
        _near(found.logprobs, whole.logprobs)


def o6_none_where_not_asked_for(client: Client) -> None:
    """Without logprobs none come, and they change no answer."""
    same(client.greedy.choices[0].get("logprobs"), None, "logprobs")
    same(_asked(client).text, client.greedy.text, "the answer with log-probabilities")


def o6_streamed(client: Client) -> None:
    """In a stream they are the same, each with the text that it belongs to."""
    whole = _asked(client)
    found = client.stream(logprobs=True, top_logprobs=_TOP)
    _near(found.logprobs, whole.logprobs)
    same(found.text(), whole.text, "the streamed answer")


def o6_hot_tokens(client: Client) -> None:
    """A hot answer's tokens have the log-probabilities of the model, so that most are below the likeliest."""
    optional(client.ask(_CHAT, client.body(_CHAT, logprobs=True)), "logprobs", *_WORDS)
    found = client.chat(logprobs=True, top_logprobs=1, temperature=2, seed=3, max_tokens=16)
    gaps = [each["top_logprobs"][0]["logprob"] - each["logprob"] for each in found.logprobs]
    if any(gap < -_NEAR for gap in gaps):
        raise Failed(f"a token is likelier than the likeliest one: {gaps}")


def o6_greedy_is_the_likeliest(client: Client) -> None:
    """The first token of a greedy answer has the log-probability that one token alone has."""
    whole = _asked(client)
    _near(client.chat(logprobs=True, top_logprobs=_TOP, max_tokens=1).logprobs, whole.logprobs[:1])


def _asked(client: Client) -> Answer:
    """The greedy answer with its log-probabilities. Raises NotOffered where they are refused by name."""
    asked = client.body(_CHAT, messages=said(client.prompt), logprobs=True, top_logprobs=_TOP)
    found = Answer(optional(client.ask(_CHAT, asked), "logprobs", *_WORDS).json)
    if found.text and not found.choices[0].get("logprobs"):
        raise Failed("logprobs are asked for, and the answer has none: ignored in silence")
    return found


def _near(seen: Sequence[Any], expected: Sequence[Any]) -> None:
    same([each["token"] for each in seen], [each["token"] for each in expected], "tokens")
    for one, other in zip(seen, expected, strict=True):
        if abs(one["logprob"] - other["logprob"]) > 10 * _NEAR:
            raise Failed(f"{one['token']!r} has {one['logprob']}, and {other['logprob']} the other time")


def _bytes(token: Any) -> bytes:
    found = token.get("bytes")
    return bytes(found) if found is not None else str(token["token"]).encode()


def _agrees(token: Any) -> None:
    if not isinstance(token.get("bytes"), list):
        raise Failed(f"{token['token']!r} has no list of bytes")
    text = _bytes(token).decode(errors="ignore")
    if text.encode() == _bytes(token) and token["token"] != text and "\ufffd" not in token["token"]:
        raise Failed(f"{token['token']!r} has the bytes of {text!r}")
