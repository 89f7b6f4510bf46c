"""Known answers after many variants of a prompt, several in one batch, what they share computed once.

Teacher forcing: each token of an answer is scored given the true tokens before it (Williams and Zipser 1989).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from glassworks.language.engine import Row, TokenScore, Variants, alternatives_of

_ROWS = 8
"""Variants in a batch: many more take longer, for their caches are read again with each token."""
_CACHE_BYTES = 2**30
"""Of the caches of a batch."""
_TOKENS, _SCORED = 1024, 128
"""Of all rows in one call: those that are computed, and those whose log-probabilities of all tokens are in memory."""


class BatchedVariants(Variants):
    """By the scoring graph. `base` is the prompt whose beginnings the variants share: it is read once, and each batch
    goes on from where its rows leave it. Not to be shared between threads.
    """

    def __init__(self, compiled: Any, base: Sequence[int]) -> None:
        self._base, self._request = list(base), compiled.create_infer_request()
        self._kept: list[tuple[str, NDArray[np.float32]]] = []
        """Names of the cache's parts, and what they hold of the base (1 heads T width)."""
        self._token_bytes = 0
        self.calls = self.tokens = 0

    def score(self, rows: Sequence[Row], check: Callable[[], None] = lambda: None) -> list[NDArray[np.float64]]:
        if not self._kept:
            self._read(check)
        shared = [self._shared(row) for row in rows]
        order = sorted(range(len(rows)), key=lambda index: (-shared[index], len(rows[index].prompt)))
        found: list[NDArray[np.float64]] = [np.zeros(0)] * len(rows)
        begin = 0
        while begin < len(order):
            batch = order[begin : begin + self._fitting([rows[index] for index in order[begin : begin + _ROWS]])]
            begin += len(batch)
            beginning = min(shared[index] for index in batch)
            answers = self._answers([rows[index] for index in batch], beginning, check)
            values = np.concatenate([np.array(answer["target"], np.float64) for answer in answers], axis=1)
            for index, row in zip(batch, values, strict=True):
                found[index] = row[: len(rows[index].answer)]
        return found

    def describe(self, row: Row, alternatives: int, check: Callable[[], None] = lambda: None) -> list[TokenScore]:
        if not self._kept:
            self._read(check)
        found = list[TokenScore]()
        for answer in self._answers([row], self._shared(row), check):
            logs = answer["log_probabilities"][0]
            entropies = -np.einsum("pv,pv->p", np.exp(logs), logs, dtype=np.float64, optimize=True)
            for column, entropy in enumerate(entropies.tolist()):
                found.append(
                    TokenScore(
                        id=row.answer[len(found)],
                        log_probability=float(answer["target"][0, column]),
                        rank=int(answer["rank"][0, column]),
                        alternatives=alternatives_of(answer, column, alternatives),
                        entropy=entropy,
                    )
                )
        return found

    def _read(self, check: Callable[[], None]) -> None:
        """Compute the base and keep its cache, as far as there is memory for it."""
        self._request.reset_state()
        seen, most = 0, len(self._base) - 1
        while seen < most:
            check()
            end = min(seen + _TOKENS, most)
            self._feed(np.array([self._base[seen:end]]), np.ones((1, end)), np.arange(seen, end)[None], [0], [[0]])
            seen = end
            states = self._request.query_state()
            self._token_bytes = sum(state.state.byte_size for state in states) // seen
            most = min(most, _CACHE_BYTES // max(1, self._token_bytes))
        self._kept = [(state.name, np.array(state.state.data)) for state in self._request.query_state()] if seen else []
        self._seen = seen

    def _shared(self, row: Row) -> int:
        """Tokens of the base that a row begins with; its last token is always computed for it."""
        most = min(self._seen, len(row.prompt) - 1)
        ours, base = np.asarray(row.prompt[:most]), np.asarray(self._base[:most])
        differ = np.flatnonzero(ours != base)
        return int(differ[0]) if len(differ) else most

    def _fitting(self, rows: Sequence[Row]) -> int:
        """How many of the rows have their caches in memory together."""
        longest, count = 0, 0
        for row in rows:
            longest = max(longest, len(row.prompt) + len(row.answer))
            if count and (count + 1) * longest * self._token_bytes > _CACHE_BYTES:
                break
            count += 1
        return count

    def _answers(
        self, rows: Sequence[Row], shared: int, check: Callable[[], None]
    ) -> Iterator[Mapping[str, NDArray[Any]]]:
        """Outputs of the graph at the answers' tokens, some columns after the others. Prompts are filled up at their
        left, so that answers begin in one column; what fills them up is masked.
        """
        count, width = len(rows), max(len(row.prompt) for row in rows) - shared
        ids, indices, mask, targets = _laid_out(rows, shared, width)
        self._restore(shared)
        beams = np.zeros(count, np.int32) if shared else np.arange(count, dtype=np.int32)
        begin, total = 0, ids.shape[1]
        while begin < total:
            check()
            end = _end(begin, total, width - 1, count)
            wanted = list(range(max(begin, width - 1) - begin, end - begin))
            asked = targets[:, begin + wanted[0] - width + 1 :][:, : len(wanted)] if wanted else targets[:, :1]
            seen = ids[:, begin:end], mask[:, : shared + end], indices[:, begin:end]
            answer = self._feed(*seen, beams, asked, wanted or [0])
            if wanted:
                yield answer
            beams, begin = np.arange(count, dtype=np.int32), end

    def _restore(self, shared: int) -> None:
        """Go on after the first `shared` tokens of the base."""
        self._request.reset_state()
        if shared:
            kept = dict(self._kept)
            for state in self._request.query_state():
                state.state = ov.Tensor(np.ascontiguousarray(kept[state.name][:, :, :shared]))

    def _feed(
        self, ids: Any, mask: Any, indices: Any, beams: Any, targets: Any, positions: Sequence[int] = (0,)
    ) -> Mapping[str, NDArray[Any]]:
        """Outputs for the targets at positions (N P) among these further tokens (N T), until the next call."""
        self.calls += 1
        self.tokens += ids.size
        answer: Mapping[str, NDArray[Any]] = self._request.infer(
            {
                "input_ids": np.ascontiguousarray(ids, np.int64),
                "attention_mask": np.ascontiguousarray(mask, np.int64),
                "position_ids": np.ascontiguousarray(indices, np.int64),
                "beam_idx": np.array(beams, np.int32),
                "positions": np.tile(np.array([positions], np.int64), (len(ids), 1)),
                "targets": np.ascontiguousarray(targets, np.int64),
            },
            share_outputs=True,
        )
        return answer


def _laid_out(rows: Sequence[Row], shared: int, width: int) -> tuple[NDArray[np.int64], ...]:
    """Ids and positions (N T) of what follows the shared beginning, `width` columns of prompts and then the answers but
    their last token; the mask (N S + T), and the answers (N A).
    """
    count, longest = len(rows), max(len(row.answer) for row in rows)
    total = width + longest - 1
    ids, targets = np.zeros((count, total), np.int64), np.zeros((count, longest), np.int64)
    mask, indices = np.ones((count, shared + total), np.int64), np.zeros((count, total), np.int64)
    for number, row in enumerate(rows):
        blank = width - (len(row.prompt) - shared)
        known = [*row.prompt[shared:], *row.answer[:-1]]
        ids[number, blank : blank + len(known)] = known
        indices[number, blank:] = np.arange(shared, shared + total - blank)
        mask[number, shared : shared + blank] = 0
        targets[number, : len(row.answer)] = row.answer
    return ids, indices, mask, targets


def _end(begin: int, total: int, first: int, rows: int) -> int:
    """Where a call that begins at a column ends; columns from `first` on are scored."""
    end = min(begin + max(1, _TOKENS // rows), total)
    return min(end, max(begin, first) + max(1, _SCORED // rows)) if end > first else end
