"""Scores of a prompt's own tokens, and the sequence that goes on behind it: what prompts have in common with earlier
ones is not computed again. Harnesses ask for every answer to a question with the whole question before it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from glassworks.language.engine import TokenScore, alternatives_of

STEP_TOKENS = 128
"""Tokens of a prompt in one call: log-probabilities of all tokens at all of them are in memory."""
_KEPT, _KEPT_BYTES, _WORTH = 4, 2**26, 8
"""Prompts whose caches are kept, bytes of each, and tokens in common from which on one is used."""
OUTPUTS = ("log_probabilities", "top", "top_ids", "target", "rank", "normalizer", "hidden")


class State:
    """One sequence with its cache."""

    def __init__(self, compiled: Any) -> None:
        self._request, self.seen = compiled.create_infer_request(), 0

    def feed(self, ids: Sequence[int], positions: Sequence[int], targets: Sequence[int]) -> Mapping[str, NDArray[Any]]:
        """Outputs at `positions` among these further tokens; `target` is that of `targets` there."""
        total = self.seen + len(ids)
        answer = self._request.infer(
            {
                "input_ids": np.array([ids], np.int64),
                "attention_mask": np.ones((1, total), np.int64),
                "position_ids": np.arange(self.seen, total, dtype=np.int64)[None],
                "beam_idx": np.zeros(1, np.int32),
                "positions": np.array([positions], np.int64),
                "targets": np.array([targets], np.int64),
            },
            share_outputs=True,
        )
        self.seen = total
        return {name: answer[name] for name in OUTPUTS}

    def cache(self) -> Mapping[str, NDArray[Any]] | None:
        """A copy of it by the names of its parts (1 heads T width); None where it is too large to be kept."""
        states = self._request.query_state()
        if sum(each.state.byte_size for each in states) > _KEPT_BYTES:
            return None
        return {each.name: np.array(each.state.data) for each in states}

    def restore(self, cache: Mapping[str, NDArray[Any]], count: int) -> None:
        """Go on behind the first `count` tokens of another sequence."""
        for each in self._request.query_state():
            each.state = ov.Tensor(np.ascontiguousarray(cache[each.name][:, :, :count]))
        self.seen = count


@dataclass(frozen=True, slots=True)
class _Kept:
    ids: Sequence[int]
    alternatives: int
    scores: Sequence[TokenScore]
    cache: Mapping[str, NDArray[Any]]


class PromptScores:
    """Of one compiled scoring graph. One prompt is read at a time: more would not be done sooner."""

    def __init__(self, compiled: Any) -> None:
        self._compiled, self._lock = compiled, threading.Lock()
        self._kept: deque[_Kept] = deque(maxlen=_KEPT)

    def read(self, ids: Sequence[int], alternatives: int) -> tuple[list[TokenScore], State]:
        """Each token but the first, given those before it; and the sequence of all but the last."""
        with self._lock:
            found, state = self._begun(ids, alternatives)
            found += scores(state, ids, alternatives)
            if len(ids) > _WORTH and (cache := state.cache()) is not None:
                self._kept.append(_Kept(tuple(ids), alternatives, tuple(found), cache))
        return found, state

    def _begun(self, ids: Sequence[int], alternatives: int) -> tuple[list[TokenScore], State]:
        """With what is known of an earlier prompt; the last token in common is computed again, for what follows it."""
        state = State(self._compiled)
        known = [(_common(each.ids, ids), each) for each in self._kept if each.alternatives == alternatives]
        count, best = max(known, key=lambda each: each[0], default=(0, None))
        count = min(count, len(ids) - 1) - 1
        if best is None or count < _WORTH:
            return [], state
        state.restore(best.cache, count)
        return list(best.scores[:count]), state


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """Tokens that both begin with."""
    most = min(len(one), len(other))
    differ = np.flatnonzero(np.asarray(one[:most]) != np.asarray(other[:most]))
    return int(differ[0]) if len(differ) else most


def scores(state: State, ids: Sequence[int], alternatives: int) -> list[TokenScore]:
    """Each token behind those that were seen, and the first one after them, given those before it."""
    found = list[TokenScore]()
    for start in range(state.seen, len(ids) - 1, STEP_TOKENS):
        part = ids[start : min(start + STEP_TOKENS, len(ids) - 1)]
        targets = ids[start + 1 : start + 1 + len(part)]
        answer = state.feed(part, list(range(len(part))), targets)
        for row, token in enumerate(targets):
            found.append(
                TokenScore(
                    id=token,
                    log_probability=float(answer["target"][0, row]),
                    rank=int(answer["rank"][0, row]),
                    alternatives=alternatives_of(answer, row, alternatives),
                )
            )
    return found
