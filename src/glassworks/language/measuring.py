"""How quickly sessions write: the time to the first token, and tokens a second after it, side by side."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.contracts import Progress, Session
from glassworks.errors import DataError
from glassworks.language.session import INPUT, PROMPT_TOKENS

if TYPE_CHECKING:
    from glassworks.contracts import Tensors

_PROMPT, _ANSWER, _WARM_UP = 128, 64, 2
"""Tokens of a prompt, of its answer, and of the answer that warms up."""
_LEAST_ROUNDS, _MOST_ROUNDS = 3, 100
_TURN = 37
"""Tokens by which the prompts of two rounds are apart: no round finds another one's beginning in the cache."""


def measure_speeds(
    sessions: Mapping[str, Session],
    tensors: Tensors,
    budget_s: float,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, dict[str, float]]:
    """`tokens_per_second` of one answer after its first token (the median), and `first_token_p50` and
    `first_token_p99` in milliseconds, by name.

    `tensors` are texts whose tokens the prompts are made of. Sessions take turns, a prompt each in every round, so that
    noise of the machine meets all alike. Raises Cancelled, and DataError where answers are too short to be timed.
    """
    progress = progress or Progress()
    ids, prompt, answer = _material(next(iter(sessions.values())), tensors)
    for session in sessions.values():
        _answered(session, ids[:prompt], _WARM_UP, clock)
    waits: dict[str, list[float]] = {name: [] for name in sessions}
    rates: dict[str, list[float]] = {name: [] for name in sessions}
    end = clock() + budget_s
    for number in range(1, _MOST_ROUNDS + 1):
        asked = np.roll(ids, -number * _TURN)[:prompt]
        for name, session in sessions.items():
            progress.check()
            wait, rate = _answered(session, asked, answer, clock)
            waits[name].append(wait)
            rates[name] += rate
        if number >= _LEAST_ROUNDS and clock() > end:
            break
    return {name: _figures(waits[name], rates[name]) for name in sessions}


def _material(session: Session, tensors: Tensors) -> tuple[Any, int, int]:
    """Token ids of the texts, one after the other, and how long prompts and answers are: at most the whole context."""
    (short,) = session.stream(_row("a"), {"tokenize": True})
    context = short.prompt_tokens + short.max_tokens
    ids: list[int] = []
    for text in tensors[INPUT].tolist():
        (chunk,) = session.stream(_row(text), {"tokenize": True})
        ids += [token["id"] for token in json.loads(chunk.outputs[PROMPT_TOKENS].tolist()[0])]
        if len(ids) > _PROMPT * _MOST_ROUNDS:
            break
    prompt = min(_PROMPT, context // 2)
    return np.resize(np.array(ids, np.int64), max(len(ids), prompt)), prompt, min(_ANSWER, context - prompt)


def _answered(session: Session, ids: Any, max_tokens: int, clock: Callable[[], float]) -> tuple[float, list[float]]:
    """Seconds to the first token, and tokens a second after it where there are more."""
    parameters = {"prompt_ids": ids.tolist(), "max_tokens": max_tokens, "temperature": 0.0}
    begun, first, count, before = clock(), 0.0, 0, 0
    for chunk in session.stream(_row(b""), parameters):
        if not first and (chunk.completion_tokens or chunk.finish_reason):
            first, before = clock(), chunk.completion_tokens
        count = chunk.completion_tokens
    taken = clock() - first
    return first - begun, [(count - before) / taken] if count > before and taken > 0 else []


def _figures(waits: Sequence[float], rates: Sequence[float]) -> dict[str, float]:
    if not rates:
        raise DataError("every answer ends at its first token: no speed can be measured", "give other texts to measure")
    p50, p99 = np.percentile(waits, (50, 99))
    return {
        "tokens_per_second": float(np.median(rates)),
        "first_token_p50": 1e3 * float(p50),
        "first_token_p99": 1e3 * float(p99),
    }


def _row(text: bytes | str) -> Tensors:
    row = np.empty(1, object)
    row[0] = text
    return {INPUT: row}
