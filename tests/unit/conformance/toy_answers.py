"""What the toy server generates: tokens of a request until a stop string, a limit or the end, in parts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tests.unit.conformance.toy_model import VOCABULARY, Refusal, encode, logits, logprobs, pieced, sampled, written

MARK = '<tool_call>{"name": "'


@dataclass
class Part:
    """Text, and the tokens that came for it; the last has why it ended."""

    text: str
    tokens: list[dict[str, Any]] = field(default_factory=list)
    finish: str | None = None
    calls: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Question:
    """A request as the model sees it."""

    name: str
    prompt: Sequence[int]
    asked: Mapping[str, Any]
    faults: frozenset[str]
    salt: str = ""
    choice: int = 0

    @property
    def limit(self) -> int:
        """How many tokens there may be."""
        for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
            if self.asked.get(name) is not None and not (name == "max_completion_tokens" and name in self.faults):
                return int(self.asked[name]) + ("one token more" in self.faults)
        return 16

    def tokens(self) -> Iterator[int]:
        """Token after token."""
        past: list[int] = []
        asked = dict(self.asked)
        for name in ("seed", "logit_bias", "frequency_penalty", "top_p"):
            if f"ignores {name}" in self.faults:
                asked.pop(name, None)
        if "never greedy" in self.faults:
            asked["temperature"] = 1
        if "one seed" in self.faults:
            asked["seed"] = 1
        while len(past) < self.limit:
            values = logits(self.name, [*self.prompt, *past], self.salt)
            past.append(sampled(values, asked, past, self.choice))
            yield past[-1]

    def parts(self, demanded: str | None = None, *, stream: bool = False) -> Iterator[Part]:
        """The answer in parts; `demanded` is one that a schema wrote."""
        given = encode(demanded)[: self.limit] if demanded is not None else None
        chosen = self.tokens() if given is None else iter(given)
        cut = demanded is None or len(encode(demanded)) > self.limit
        seen, entries = list[int](), list[dict[str, Any]]()

        def spelled() -> Iterator[bytes]:
            for number, token in enumerate(chosen):
                entries.append(
                    self.entry(
                        [*self.prompt, *seen],
                        token,
                        self.asked.get("top_logprobs") or int("always one alternative" in self.faults),
                    )
                )
                seen.append(token)
                if "ends at invalid bytes" in self.faults and stream and number and token > 127 and token < 256:
                    return
                yield VOCABULARY[token]

        texts: Iterator[str] = pieced(spelled())
        if stream and "breaks characters" in self.faults:
            texts = (each.decode(errors="replace") for each in spelled())
        yield from self._until_stop(texts, entries, "length" if cut else "stop", stream)

    def entry(self, context: Sequence[int], token: int, top: int) -> dict[str, Any]:
        """A token with its log-probability, and the likeliest."""
        values = logits(self.name, context, self.salt)
        for each, bias in (self.asked.get("logit_bias") or {}).items():
            values[int(each)] += bias
        numbers = logprobs(values) * (0.5 if "probabilities above 1" in self.faults else 1)
        order = np.argsort(-numbers, kind="stable")[:top]
        order = order[::-1] if "alternatives upside down" in self.faults else order
        found = [_spelled(int(each), float(numbers[each])) for each in order]
        alternatives: Any = found
        if "alternatives by text" in self.faults:
            alternatives = {each["token"]: each["logprob"] for each in found}
        return {**_spelled(token, float(numbers[token])), "top_logprobs": alternatives}

    def _until_stop(self, texts: Iterator[str], entries: list[Any], end: str, stream: bool) -> Iterator[Part]:
        stop = self.asked.get("stop") or []
        stop = [stop] if isinstance(stop, str) else stop
        text, sent = "", 0
        for more in texts:
            text += more
            if found := _first(text, stop, more, by_tokens="stops by tokens" in self.faults):
                until = len(text) if "stop string stays" in self.faults else found[0]
                yield Part(text[sent:until], entries[:])
                yield Part("", [], "stop")
                return
            ready = len(text) if stream and "leaks stop strings" in self.faults else len(text) - _begun(text, stop)
            yield Part(text[sent:ready], entries[:])
            entries.clear()
            sent = max(sent, ready)
        lost = stream and "loses what was kept back" in self.faults
        yield Part("" if lost else text[sent:], entries[:])
        yield Part("", [], end)


def demanded(asked: Mapping[str, Any], faults: frozenset[str]) -> str | None:
    """The answer that response_format demands, if it does. Raises Refusal."""
    form = asked.get("response_format") or {"type": "text"}
    if not isinstance(form, dict) or form.get("type") not in ("text", "json_object", "json_schema"):
        if "checks no messages" in faults:
            return None
        raise Refusal("response_format is unknown", param="response_format")
    generator = np.random.default_rng(asked.get("seed") or 0)
    if form["type"] == "text":
        return None
    if form["type"] == "json_object":
        return '{"a": 1}' if "runs blanks" not in faults else "{" + "\n" * 60
    if "schema" not in form.get("json_schema", {}):
        if "no schema is any" in faults:
            return None
        raise Refusal("response_format json_schema has no schema", param="response_format")
    try:
        value = written(form["json_schema"]["schema"], generator)
    except Refusal:
        if "drops broken schemas" in faults:
            return None
        raise
    if "schema does not hold" in faults:
        value = {**value, "color": "black"}
    blanks = "\n" * 200 if "runs blanks" in faults and asked.get("logit_bias") else ""
    return blanks + json.dumps(value, ensure_ascii=False)


def call_of(asked: Mapping[str, Any], faults: frozenset[str]) -> dict[str, Any] | None:
    """The call that is demanded, if one is. Raises Refusal."""
    tools, choice = asked.get("tools"), asked.get("tool_choice", "auto")
    if tools is None or ("takes wrong tools" in faults and choice != "required"):
        return None
    if not isinstance(tools, list) or not all("name" in (each.get("function") or {}) for each in tools):
        raise Refusal("tools are wrong", param="tools")
    names = {each["function"]["name"]: each["function"] for each in tools}
    if isinstance(choice, dict) and choice["function"]["name"] not in names:
        raise Refusal("tool_choice names no tool", param="tool_choice")
    if isinstance(choice, str) and choice not in ("auto", "none", "required"):
        raise Refusal("tool_choice is unknown", param="tool_choice")
    if choice in ("auto", "none") and "always calls" not in faults:
        return None
    name, function = next(iter(names.items()))
    arguments = json.dumps(written(function["parameters"], np.random.default_rng(0)))
    arguments = arguments[1:] if "arguments are no JSON" in faults else arguments
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}


def _spelled(token: int, number: float) -> dict[str, Any]:
    content = VOCABULARY[token]
    return {"token": content.decode(errors="replace"), "logprob": number, "bytes": list(content)}


def _first(text: str, stop: Sequence[str], more: str, *, by_tokens: bool) -> tuple[int, str] | None:
    found = [(text.index(each), each) for each in stop if each in text]
    if by_tokens:
        found = [(at, each) for at, each in found if more.startswith(each)]
    return min(found, default=None)


def _begun(text: str, stop: Sequence[str]) -> int:
    """How many characters at the end may be the beginning of a stop string."""
    return max((size for each in stop for size in range(1, len(each)) if text.endswith(each[:size])), default=0)
