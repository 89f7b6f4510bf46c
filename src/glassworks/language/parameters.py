"""What a request may ask of an answer: checked, and refused by name where it is not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glassworks.errors import InputError
from glassworks.language.sampling import Sampling

_MOST_STOPS, _LONGEST_STOP = 4, 200
_RANGES: Mapping[str, tuple[float, float, float]] = {
    "temperature": (0.0, 0.0, 2.0),
    "top_p": (1.0, 0.0, 1.0),
    "min_p": (0.0, 0.0, 1.0),
    "presence_penalty": (0.0, -2.0, 2.0),
    "frequency_penalty": (0.0, -2.0, 2.0),
}
"""Name -> default, least, most."""
_WHOLE: Mapping[str, tuple[int, int, int]] = {"top_k": (0, 0, 2**20), "seed": (0, 0, 2**31 - 1)}
KNOWN = frozenset(
    {*_RANGES, *_WHOLE, "max_tokens", "stop", "messages", "prompt_ids", "tokenize", "timeout", "priority"}
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Parameters of one answer; `max_tokens` 0 is the model's own. `messages` and `prompt_ids` replace the text."""

    max_tokens: int
    messages: Any = None
    prompt_ids: Any = None
    tokenize: bool = False
    stop: tuple[str, ...]
    stop_ids: frozenset[int]
    numbers: Mapping[str, float]

    def sampling(self, max_tokens: int) -> Sampling:
        """As engines take them."""
        numbers: dict[str, Any] = dict(self.numbers)
        return Sampling(max_tokens=max_tokens, stop_ids=self.stop_ids, **numbers)


def asked_of(parameters: Mapping[str, Any], stop_ids: Sequence[int]) -> Asked:
    """Raises InputError for what is unknown or out of range."""
    for name in parameters:
        if name not in KNOWN:
            raise InputError(f"the parameter '{name[:200]}' is not known", f"known: {', '.join(sorted(KNOWN))}")
    numbers = {name: _number(parameters, name, *bounds) for name, bounds in _RANGES.items()}
    numbers |= {name: _integer(parameters, name, *bounds) for name, bounds in _WHOLE.items()}
    return Asked(
        max_tokens=_integer(parameters, "max_tokens", 0, 1, 2**24),
        messages=parameters.get("messages"),
        prompt_ids=parameters.get("prompt_ids"),
        tokenize=_flag(parameters, "tokenize"),
        stop=_stops(parameters.get("stop", ())),
        stop_ids=frozenset(stop_ids),
        numbers=numbers,
    )


def _number(parameters: Mapping[str, Any], name: str, default: float, least: float, most: float) -> float:
    value = parameters.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise InputError(f"{name} is {value!r:.100}", f"give a number from {least:g} to {most:g}")
    return float(value)


def _integer(parameters: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    if name not in parameters:
        return default
    value = parameters[name]
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InputError(f"{name} is {value!r:.100}", f"give a whole number from {least} to {most}")
    return value


def _flag(parameters: Mapping[str, Any], name: str) -> bool:
    value = parameters.get(name, False)
    if not isinstance(value, bool):
        raise InputError(f"{name} is {value!r:.100}", "give true or false")
    return value


def _stops(value: Any) -> tuple[str, ...]:
    stops = (value,) if isinstance(value, str) else value
    if not isinstance(stops, list | tuple) or len(stops) > _MOST_STOPS:
        raise InputError(f"stop is {value!r:.100}", f"give a text, or a list of at most {_MOST_STOPS}")
    for stop in stops:
        if not isinstance(stop, str) or not 0 < len(stop) <= _LONGEST_STOP:
            raise InputError(f"stop holds {stop!r:.100}", f"give texts of 1 to {_LONGEST_STOP} characters")
    return tuple(stops)
