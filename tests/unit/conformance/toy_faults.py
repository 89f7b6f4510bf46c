"""Faults that change a whole answer after it was right."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

_CHAT, _COMPLETIONS, _RESPONSES, _EMBEDDINGS = "/chat/completions", "/completions", "/responses", "/embeddings"


def changed(path: str, asked: Mapping[str, Any], found: Any, faults: frozenset[str]) -> Any:
    """The answer, with the faults that are about it."""
    for fault in faults:
        where, change = CHANGES.get(fault, ("", None))
        if change is not None and path == where:
            change(asked, found)
    return found


def _message(found: Any) -> Any:
    return found["choices"][0]["message"]


def _content(found: Any) -> list[Any]:
    return list((found["choices"][0]["logprobs"] or {}).get("content") or [])


def _user(asked: Mapping[str, Any], found: Any) -> None:
    _message(found)["content"] += "!" * ("user" in asked)


def _loses(asked: Mapping[str, Any], found: Any) -> None:
    if _content(found):
        del found["choices"][0]["logprobs"]["content"][0]


def _bytes(asked: Mapping[str, Any], found: Any) -> None:
    for each in _content(found):
        each["bytes"] = [*each["bytes"][:-1], 64]


def _unasked(asked: Mapping[str, Any], found: Any) -> None:
    found["choices"][0]["logprobs"] = found["choices"][0]["logprobs"] or {"content": []}


def _hot(asked: Mapping[str, Any], found: Any) -> None:
    for each in _content(found):
        each["logprob"] = 0.0 if asked.get("temperature") else each["logprob"]


def _by_length(asked: Mapping[str, Any], found: Any) -> None:
    for each in _content(found):
        each["logprob"] -= asked.get("max_tokens") == 1


def _lists(change: Callable[[Mapping[str, Any], Any], None]) -> Callable[[Mapping[str, Any], Any], None]:
    def applied(asked: Mapping[str, Any], found: Any) -> None:
        for choice in found["choices"]:
            if choice["logprobs"]:
                change(asked, choice["logprobs"])

    return applied


def _scores(asked: Mapping[str, Any], lists: Any) -> None:
    if asked.get("echo"):
        lists["token_logprobs"] = [each and each - 1 for each in lists["token_logprobs"]]


def _offsets(asked: Mapping[str, Any], lists: Any) -> None:
    lists["text_offset"] = [0] * len(lists["text_offset"])


def _uncut(asked: Mapping[str, Any], found: Any) -> None:
    if "response_format" in asked:
        found["choices"][0]["finish_reason"] = "stop"


def _silent(asked: Mapping[str, Any], found: Any) -> None:
    if asked.get("tool_choice") == "auto":
        _message(found)["content"] = ""


def _endless(asked: Mapping[str, Any], found: Any) -> None:
    if isinstance(found["data"][0]["embedding"], list):
        found["data"][0]["embedding"][0] = math.inf


def _long(asked: Mapping[str, Any], found: Any) -> None:
    first = found["data"][0]["embedding"]
    if len(found["data"]) > 1 and isinstance(first, list):
        found["data"][0]["embedding"] = [2 * each for each in first]


def _twice(asked: Mapping[str, Any], found: Any) -> None:
    found["data"] *= 1 + isinstance(asked["input"][0], list)


def _first(asked: Mapping[str, Any], found: Any) -> None:
    if not isinstance(asked["input"], str):
        found["usage"] = {"prompt_tokens": 1, "total_tokens": 1}


def _word(asked: Mapping[str, Any], found: Any) -> None:
    found["output"][0]["content"][0]["text"] += " word"


def _sets(**values: Any) -> Callable[[Mapping[str, Any], Any], None]:
    return lambda asked, found: found.update(values)


CHANGES: Mapping[str, tuple[str, Callable[[Mapping[str, Any], Any], None]]] = {
    "another object": (_CHAT, _sets(object="chat")),
    "one id": (_CHAT, _sets(id="id")),
    "user changes answers": (_CHAT, _user),
    "loses a token": (_CHAT, _loses),
    "bytes of another token": (_CHAT, _bytes),
    "logprobs unasked": (_CHAT, _unasked),
    "hot tokens are the likeliest": (_CHAT, _hot),
    "numbers by the length": (_CHAT, _by_length),
    "a chat object": (_COMPLETIONS, _sets(object="chat.completion")),
    "scores otherwise": (_COMPLETIONS, _lists(_scores)),
    "offsets of zero": (_COMPLETIONS, _lists(_offsets)),
    "never cut by the limit": (_CHAT, _uncut),
    "auto is silent": (_CHAT, _silent),
    "not finite": (_EMBEDDINGS, _endless),
    "one vector is long": (_EMBEDDINGS, _long),
    "two vectors for token ids": (_EMBEDDINGS, _twice),
    "counts the first text": (_EMBEDDINGS, _first),
    "no status": (_RESPONSES, _sets(status="done")),
    "adds a word": (_RESPONSES, _word),
    "always completed": (_RESPONSES, _sets(status="completed", incomplete_details=None)),
}
