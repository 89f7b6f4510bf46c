"""Log-probabilities of tokens in the shapes that clients read: of chats, of completions, and vLLM's of prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec


class Token(msgspec.Struct, frozen=True):
    """A token as sessions tell of it."""

    id: int
    token: str
    bytes: list[int]
    logprob: float | None = None
    rank: int | None = None
    top: Sequence[Token] = ()


decode = msgspec.json.Decoder(list[Token]).decode
"""A session's list of tokens."""


def of_chat(tokens: Sequence[Token], count: int) -> list[dict[str, Any]]:
    """`choices[].logprobs.content`: one entry a token, each with its `count` best alternatives by id."""
    return [{**_one(token), "top_logprobs": [_one(each) for each in token.top[:count]]} for token in tokens]


def _one(token: Token) -> dict[str, Any]:
    return {"token": token.token, "bytes": token.bytes, "logprob": token.logprob}


class Offsets:
    """`choices[].logprobs` of plain completions, whose offsets count the characters of the text so far."""

    def __init__(self, count: int) -> None:
        self._count, self._offset = count, 0

    def of(self, tokens: Sequence[Token]) -> dict[str, Any]:
        """Of the next tokens."""
        shown: dict[str, list[Any]] = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
        for token in tokens:
            shown["tokens"].append(_name(token))
            shown["token_logprobs"].append(token.logprob)
            shown["top_logprobs"].append(None if token.logprob is None else self._best(token))
            shown["text_offset"].append(self._offset)
            self._offset += len(token.token)
        return shown

    def _best(self, token: Token) -> dict[str, float | None]:
        """By name, the chosen one among them. Two tokens of one name are one entry, of the more probable."""
        found: dict[str, float | None] = {}
        for each in (*token.top[: self._count], token):
            name = _name(each)
            known = found.get(name)
            if known is None or (each.logprob is not None and each.logprob > known):
                found[name] = each.logprob
        return found


def of_prompt(tokens: Sequence[Token], count: int) -> list[dict[str, dict[str, Any]] | None]:
    """vLLM's `prompt_logprobs`: an object by id for each token of the prompt, null for the first."""
    return [None if token.logprob is None else _by_id(token, count) for token in tokens]


def _by_id(token: Token, count: int) -> dict[str, dict[str, Any]]:
    ranked = [(token.rank, token), *enumerate(token.top[:count], 1)]
    return {
        str(each.id): {"logprob": each.logprob, "rank": rank, "decoded_token": each.token}
        for rank, each in reversed(ranked)
    }


def text_of(tokens: Sequence[Token]) -> str:
    """The text of tokens, by their bytes."""
    return b"".join(bytes(token.bytes) for token in tokens).decode(errors="replace")


def _name(token: Token) -> str:
    """A token's text; of one that is no whole text its bytes."""
    content = bytes(token.bytes)
    try:
        return content.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in content)
