"""The toy server's chat, completions, responses, embeddings and tokens: what each request must be, and its answer."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from tests.unit.conformance.toy_answers import MARK, Part, Question, call_of, demanded
from tests.unit.conformance.toy_model import VOCABULARY, Refusal, encode

CONTEXT = 512
ROLES = ("system", "developer", "user", "assistant", "tool")
SPECIAL = re.compile(r"<\|im_end\|>")


def _number(low: float, high: float, kind: type = float) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        return isinstance(value, int if kind is int else (int, float)) and low <= value <= high

    return fits


def _bias(value: Any) -> bool:
    return isinstance(value, dict) and all(
        key.isdecimal() and int(key) < len(VOCABULARY) and -100 <= each <= 100 for key, each in value.items()
    )


COMMON: Mapping[str, Callable[[Any], bool]] = {
    "model": lambda value: isinstance(value, str),
    "stream": lambda value: isinstance(value, bool),
    "stream_options": lambda value: isinstance(value, dict),
    "max_tokens": _number(1, 10_000, int),
    "temperature": _number(0, 2),
    "top_p": _number(0, 1),
    "seed": lambda value: isinstance(value, int),
    "n": _number(1, 8, int),
    "stop": lambda value: value is None or isinstance(value, str | list),
    "frequency_penalty": _number(-2, 2),
    "presence_penalty": _number(-2, 2),
    "logit_bias": _bias,
    "user": lambda value: True,
}
CHAT = {
    **COMMON,
    "messages": lambda value: True,
    "max_completion_tokens": COMMON["max_tokens"],
    "logprobs": lambda value: isinstance(value, bool),
    "top_logprobs": _number(0, 20, int),
    "response_format": lambda value: True,
    "tools": lambda value: True,
    "tool_choice": lambda value: True,
    "store": lambda value: value is False,
    "metadata": lambda value: True,
    "service_tier": lambda value: value == "auto",
}
COMPLETIONS = {
    **COMMON,
    "prompt": lambda value: True,
    "echo": lambda value: True,
    "logprobs": _number(0, 5, int),
    "prompt_logprobs": _number(0, 5, int),
}
RESPONSES = {
    name: COMMON.get(name, lambda value: True)
    for name in ("model", "input", "stream", "temperature", "instructions", "text", "previous_response_id")
} | {"max_output_tokens": COMMON["max_tokens"]}
EMBEDDINGS = {name: lambda value: True for name in ("model", "input", "encoding_format", "dimensions")}


def checked(asked: Any, known: Mapping[str, Callable[[Any], bool]], faults: frozenset[str]) -> dict[str, Any]:
    """A request whose parameters are known and right. Raises Refusal."""
    if not isinstance(asked, dict):
        raise Refusal("the body is no object")
    if "model" not in asked and "takes any model" not in faults:
        raise Refusal("model is missing", param="model")
    if "checks nothing" in faults:
        right = {name: value for name, value in asked.items() if name in known and known[name](value)}
        return right if right.get("messages") else {**right, "messages": [{"role": "user", "content": "a"}]}
    for name, value in asked.items():
        if name not in known:
            raise Refusal(f"{name} is unknown", param=name)
        if not known[name](value):
            raise Refusal(f"{name} is wrong", param=name)
    if "top_logprobs" in asked and not asked.get("logprobs"):
        raise Refusal("top_logprobs need logprobs", param="top_logprobs")
    if "stream_options" in asked and not asked.get("stream"):
        raise Refusal("stream_options need stream", param="stream_options")
    return asked


def conversation(messages: Any, faults: frozenset[str]) -> list[int]:
    """The tokens of a conversation. Raises Refusal."""
    if not isinstance(messages, list) or not messages:
        raise Refusal("messages are missing or empty", param="messages")
    found: list[int] = []
    for message in messages[-1:] if "reads the last message only" in faults else messages:
        found += encode(f"{_role(message, faults)}:") + _content(message, faults) + encode("\n")
    return limited([*found, *encode("assistant:")], faults)


def limited(prompt: list[int], faults: frozenset[str]) -> list[int]:
    """A prompt that fits. Raises Refusal."""
    if len(prompt) < CONTEXT:
        return prompt
    if "cuts prompts" in faults:
        return prompt[-CONTEXT // 2 :]
    code = None if "no code for long prompts" in faults else "context_length_exceeded"
    raise Refusal(f"context_length_exceeded: the prompt's {len(prompt)} tokens, of {CONTEXT}", code=code)


def _role(message: Any, faults: frozenset[str]) -> str:
    if not isinstance(message, dict) or message.get("role") not in ROLES:
        raise Refusal("a message has no role that is known", param="messages")
    if message["role"] == "tool" and "templates crash" in faults:
        raise Refusal("internal error", status=500)
    if message["role"] == "system" and "drops system messages" in faults:
        message["content"] = ""
    return str(message["role"])


def _content(message: Any, faults: frozenset[str]) -> list[int]:
    content = message.get("content")
    calls = json.dumps(message["tool_calls"]) if message.get("tool_calls") else ""
    if content is None and not calls:
        raise Refusal("a message has no content", param="messages")
    if isinstance(content, list):
        wrong = [part for part in content if part.get("type") != "text"]
        if wrong and "drops unknown parts" not in faults:
            raise Refusal("content has a part of an unknown type, such as an image", param="messages")
        glue = " " if "glues parts" in faults else ""
        content = glue + "".join(part["text"] for part in content if part not in wrong)
    if content is not None and not isinstance(content, str):
        raise Refusal("content is no text", param="messages")
    if message["role"] == "tool" and "drops results" in faults:
        content = ""
    if "reads control tokens" in faults:
        content = SPECIAL.sub("\x01", content or "")
    return encode((content or "") + calls)


def usage(prompt: int, completion: int) -> dict[str, Any]:
    """How many tokens it took."""
    details = {"cached_tokens": 0}
    total = prompt + completion
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
    return {**counts, "prompt_tokens_details": details}


def answers(question: Question, count: int, *, stream: bool = False) -> Iterator[tuple[int, Part]]:
    """The parts of all choices."""
    asked = question.asked
    text = demanded(asked, question.faults)
    call = call_of(asked, question.faults)
    for number in range(count):
        one = Question(question.name, question.prompt, asked, question.faults, question.salt, number)
        found = one.parts(text, stream=stream) if call is None else _called(call, one, stream)
        for part in found:
            yield number, part


def _called(call: dict[str, Any], question: Question, stream: bool) -> Iterator[Part]:
    faults, arguments = question.faults, call["function"]["arguments"]
    text = encode(MARK + call["function"]["name"] + '", "arguments": ' + arguments)
    if "markup in the text" in faults and question.limit < len(text):
        yield Part("".join(VOCABULARY[each].decode() for each in text[: question.limit]))
        yield Part("", [], "length")
        return
    if question.limit < len(text):
        yield Part("", [], "length")
        return
    if stream and "streams other arguments" in faults:
        arguments = arguments.replace(" ", "")
    begin = {"index": 0, **call, "function": {**call["function"], "arguments": ""}}
    half = len(arguments) // 2
    ends = [{"index": 0, "function": {"arguments": part}} for part in (arguments[:half], arguments[half:])]
    for part in (begin, *ends):
        yield Part("", [], None, [part])
    yield Part("", [], "stop" if "stop at calls" in faults else "tool_calls")


def embedded(asked: Mapping[str, Any], faults: frozenset[str]) -> dict[str, Any]:
    """Vectors of texts. Raises Refusal."""
    texts = asked.get("input")
    texts = [texts] if isinstance(texts, str) else texts
    texts = [str(texts)] if "embeds nothing" in faults and not isinstance(texts, list) else texts
    if not texts or not isinstance(texts, list) or not all(isinstance(each, str | list) and each for each in texts):
        raise Refusal("input is no text", param="input")
    size, form = (
        asked.get("dimensions", 8),
        asked.get("encoding_format", "base64" if "base64 by default" in faults else "float"),
    )
    if form not in ("float", "base64") and "any encoding" not in faults:
        raise Refusal("encoding_format is unknown", param="encoding_format")
    if not isinstance(size, int) or not 1 <= size <= 8:
        if "any dimensions" in faults:
            return embedded({**asked, "dimensions": 8}, faults)
        raise Refusal("dimensions are wrong", param="dimensions")
    size = 8 if "ignores dimensions" in faults else size
    cut = faults | {"cuts prompts"} if "cuts texts" in faults else faults
    ids = [limited(encode(each) if isinstance(each, str) else each, cut) for each in texts]
    rows = [_vector(each, size, faults) for each in ids]
    rows = rows[::-1] if "vectors in another order" in faults else rows
    if form == "base64" and "ignores base64" not in faults:
        rows = [base64.b64encode(np.array(row, "<f4").tobytes()).decode() for row in rows]
    data = [{"object": "embedding", "index": number, "embedding": row} for number, row in enumerate(rows)]
    count = sum(len(each) for each in ids)
    return {"object": "list", "data": data, "usage": {"prompt_tokens": count, "total_tokens": count}}


def _vector(ids: Sequence[int], size: int, faults: frozenset[str]) -> Any:
    found = np.random.default_rng(zlib.crc32(str(ids).encode())).normal(size=8)[:size]
    return (found / np.linalg.norm(found)).tolist()
