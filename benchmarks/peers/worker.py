"""What each contender of `language.py` does alike, in a process of its own: a line of JSON asks, a line answers.

Asked: `{"prompts": [[id, ...], ...], "tokens": N}`. Every prompt gets exactly N greedy tokens, all prompts at once.
Seconds are those of this process, all its threads, and those of the clock; tokens count from the moment that every
prompt has its first one, so that reading prompts and writing answers are told apart.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence

Rounds = Iterator[Sequence[Sequence[int]]]
"""Tokens of each prompt that a round added."""


def serve(write: Callable[[Sequence[Sequence[int]], int], Rounds], said: str = "") -> None:
    """Answer until there are no more lines. `said` is what the contender tells of itself."""
    out, sys.stdout = sys.stdout, sys.stderr
    print(json.dumps({"said": said}), file=out, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(measured(write, asked["prompts"], asked["tokens"])), file=out, flush=True)


def measured(write: Callable[[Sequence[Sequence[int]], int], Rounds], prompts: list[list[int]], tokens: int) -> object:
    answers: list[list[int]] = [[] for _ in prompts]
    begun, first, before = _now(), (0.0, 0.0), 0
    for added in write(prompts, tokens):
        for answer, ids in zip(answers, added, strict=True):
            answer.extend(ids)
        if not before and all(answers):
            first, before = _now(), sum(map(len, answers))
    end, total = _now(), sum(map(len, answers))
    return {
        "ids": answers,
        "tokens": total - before,
        "cpu_s": end[0] - first[0],
        "wall_s": end[1] - first[1],
        "reading_cpu_s": first[0] - begun[0],
        "reading_wall_s": first[1] - begun[1],
    }


def _now() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()
