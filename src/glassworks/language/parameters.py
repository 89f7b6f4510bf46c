"""What a request may ask of an answer: checked, and refused by name where it is not known."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glassworks.errors import InputError
from glassworks.language.sampling import Sampling

MOST_ALTERNATIVES, MOST_NEAREST = 20, 20
_ID = re.compile(r"[0-9]{1,12}", re.ASCII)
_MOST_STOPS, _LONGEST_STOP, _MOST_BIASES = 4, 200, 4096
_RANGES: Mapping[str, tuple[float, float, float]] = {
    "temperature": (0.0, 0.0, 2.0),
    "top_p": (1.0, 0.0, 1.0),
    "min_p": (0.0, 0.0, 1.0),
    "presence_penalty": (0.0, -2.0, 2.0),
    "frequency_penalty": (0.0, -2.0, 2.0),
    "repetition_penalty": (1.0, 0.1, 10.0),
}
"""Name -> default, least, most."""
_LEAST: Mapping[str, float] = {"temperature": 1e-4, "top_p": 1e-6}
"""Below these, as with a `min_p` of 1, only the most probable token is left; quotients would be infinite."""
_WHOLE: Mapping[str, tuple[int, int, int]] = {"top_k": (0, 0, 2**20), "seed": (0, 0, 2**31 - 1)}
_FLAGS: Mapping[str, bool] = {
    "logprobs": False,
    "tokenize": False,
    "confidence": False,
    "parallel_tool_calls": True,
    "add_special_tokens": True,
}
_CONTENT = ("messages", "prompt_ids", "tools", "tool_choice", "response_format")
"""Checked where they are used."""
_SERVERS = ("timeout", "priority")
KNOWN = frozenset(
    {*_RANGES, *_WHOLE, *_FLAGS, *_CONTENT, *_SERVERS}
    | {"max_tokens", "stop", "logit_bias", "top_logprobs", "prompt_logprobs", "nearest"}
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Parameters of one answer; `max_tokens` 0 is the model's own. `messages` and `prompt_ids` replace the text.

    Without `add_special_tokens` a text is all that its ids are of, and one that is a special token is that token.
    `prompt_logprobs` is how many alternatives are shown at each token of the prompt, None not to score it. With
    `confidence` the end of the answer tells how often such answers are right, and `nearest` of the conversations that
    the model learned from, most like it.
    """

    max_tokens: int
    stop: tuple[str, ...]
    stop_ids: frozenset[int]
    numbers: Mapping[str, float]
    bias: Mapping[int, float]
    logprobs: bool
    top_logprobs: int
    prompt_logprobs: int | None
    tokenize: bool
    confidence: bool
    nearest: int
    parallel_tool_calls: bool
    add_special_tokens: bool
    messages: Any = None
    prompt_ids: Any = None
    tools: Any = None
    tool_choice: Any = None
    response_format: Any = None

    @property
    def scored(self) -> bool:
        """Whether the answer needs the scoring graph."""
        return bool(self.logprobs or self.bias)

    @property
    def reported(self) -> bool:
        """Whether something is told of the whole answer."""
        return bool(self.confidence or self.nearest)

    @property
    def usual(self) -> bool:
        """Whether the most probable answer to a conversation is asked for, with nothing that changes it."""
        plain = all(self.numbers[name] == bounds[0] for name, bounds in _RANGES.items() if "penalty" in name)
        greedy = self.numbers["temperature"] < _LEAST["temperature"]
        return bool(self.messages is not None and plain and greedy and not self.bias and not self.response_format)

    def sampling(self, max_tokens: int, grammar: str = "") -> Sampling:
        """As engines take them."""
        numbers: dict[str, Any] = dict(self.numbers)
        if any(numbers[name] < least for name, least in _LEAST.items()) or numbers["min_p"] >= 1:
            numbers |= {"temperature": 0.0, "top_p": 1.0, "min_p": 0.0}
        numbers |= {"max_tokens": max_tokens, "stop_ids": self.stop_ids, "logprobs": self.logprobs}
        return Sampling(grammar=grammar, **numbers)


def asked_of(parameters: Mapping[str, Any], stop_ids: Sequence[int], vocabulary: int) -> Asked:
    """Parameters that are None count as absent. Raises InputError for what is unknown or out of range."""
    for name in parameters:
        if name not in KNOWN:
            raise InputError(f"the parameter '{name[:200]}' is not known", f"known: {', '.join(sorted(KNOWN))}")
    given = {name: value for name, value in parameters.items() if value is not None}
    numbers = {name: _number(name, given.get(name, bounds[0]), *bounds[1:]) for name, bounds in _RANGES.items()}
    numbers |= {name: _integer(name, given.get(name, bounds[0]), *bounds[1:]) for name, bounds in _WHOLE.items()}
    flags = {name: _flag(name, given.get(name, default)) for name, default in _FLAGS.items()}
    top = _integer("top_logprobs", given.get("top_logprobs", 0), 0, MOST_ALTERNATIVES)
    if top and not flags["logprobs"]:
        raise InputError("top_logprobs are asked for without logprobs", "set logprobs to true")
    return Asked(
        max_tokens=_integer("max_tokens", given["max_tokens"], 1, 2**24) if "max_tokens" in given else 0,
        stop=_stops(given.get("stop", ())),
        stop_ids=frozenset(stop_ids),
        numbers=numbers,
        bias=_biases(given.get("logit_bias", {}), vocabulary),
        top_logprobs=top,
        prompt_logprobs=_optional("prompt_logprobs", given.get("prompt_logprobs")),
        logprobs=flags["logprobs"],
        tokenize=flags["tokenize"],
        confidence=flags["confidence"],
        nearest=_integer("nearest", given.get("nearest", 0), 0, MOST_NEAREST),
        parallel_tool_calls=flags["parallel_tool_calls"],
        add_special_tokens=flags["add_special_tokens"],
        **{name: given.get(name) for name in _CONTENT},
    )


def _number(name: str, value: Any, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise InputError(f"{name} is {value!r:.100}", f"give a number from {least:g} to {most:g}")
    return float(value)


def _integer(name: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InputError(f"{name} is {value!r:.100}", f"give a whole number from {least} to {most}")
    return value


def _optional(name: str, value: Any) -> int | None:
    return None if value is None else _integer(name, value, 0, MOST_ALTERNATIVES)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"{name} is {value!r:.100}", "give true or false")
    return value


def _biases(value: Any, vocabulary: int) -> Mapping[int, float]:
    """JSON writes ids as texts."""
    if not isinstance(value, Mapping) or len(value) > _MOST_BIASES:
        raise InputError(f"logit_bias is {value!r:.100}", f"give at most {_MOST_BIASES} token ids with a number each")
    found = {}
    for key, bias in value.items():
        token = int(key) if isinstance(key, str) and _ID.fullmatch(key) else key
        found[_integer("a token of logit_bias", token, 0, vocabulary - 1)] = _number(
            f"logit_bias of {token}", bias, -100.0, 100.0
        )
    return found


def _stops(value: Any) -> tuple[str, ...]:
    stops = (value,) if isinstance(value, str) else value
    if not isinstance(stops, list | tuple) or len(stops) > _MOST_STOPS:
        raise InputError(f"stop is {value!r:.100}", f"give a text, or a list of at most {_MOST_STOPS}")
    for stop in stops:
        if not isinstance(stop, str) or not 0 < len(stop) <= _LONGEST_STOP:
            raise InputError(f"stop holds {stop!r:.100}", f"give texts of 1 to {_LONGEST_STOP} characters")
    return tuple(stops)
