"""Known answers after many variants of a prompt, several in one batch, what they share computed once.

Teacher forcing: each token of an answer is scored given the true tokens before it (Williams and Zipser 1989).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from glassworks.language.engine import Check, Row, TokenScore, Variants, alternatives_of, unhindered
from glassworks.language.variant_plan import batched, branched, common

_CACHE_BYTES = 2**30
"""Of the caches of a batch, and of those that are kept."""
_TOKENS, _SCORED, _FEWEST = 1024, 128, 16
"""Of all rows in one call: those that are computed at most, those whose log-probabilities of all tokens are in memory,
and those that are computed at least, however slow they are."""


@dataclass(frozen=True, kw_only=True)
class _Read:
    """A prompt that was read: names of the cache's parts, and what they hold of its tokens (1 heads T width)."""

    ids: Sequence[int]
    kept: Sequence[tuple[str, NDArray[np.float32]]]
    bytes: int


_NOTHING = _Read(ids=(), kept=(), bytes=0)


class BatchedVariants(Variants):
    """By the scoring graph. `base` is the prompt whose beginnings the variants share: it is read once, and each batch
    goes on from where its rows leave it; so do variants that share more with each other. Not to be shared between
    threads.
    """

    def __init__(self, compiled: Any, base: Sequence[int]) -> None:
        self._ids, self._request = list(base), compiled.create_infer_request()
        self._base = _NOTHING
        self._token_bytes = 0
        self.calls = self.tokens = 0
        self.pace = float("inf")

    def score(self, rows: Sequence[Row], check: Check = unhindered) -> list[NDArray[np.float64]]:
        if not self._base.ids:
            self._base = self._read(Row(self._ids, self._ids[-1:]), _NOTHING, check)[1]
        found: list[NDArray[np.float64]] = [np.zeros(0)] * len(rows)
        self._after(self._base, rows, range(len(rows)), found, check)
        return found

    def describe(self, row: Row, alternatives: int, check: Check = unhindered) -> list[TokenScore]:
        found = list[TokenScore]()
        read = self._base if self._base.ids else _NOTHING
        shared = _shared(row, read)
        for answer in self._answers([row], read, shared, check):
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
        if not self._base.ids and list(row.prompt) == self._ids:
            self._base = self._kept(row)
        return found

    def _after(
        self,
        read: _Read,
        rows: Sequence[Row],
        chosen: Sequence[int],
        found: list[NDArray[np.float64]],
        check: Check,
    ) -> None:
        """Score the chosen rows, all of which go on from somewhere in what was read."""
        shared = {index: _shared(rows[index], read) for index in chosen}
        room = (_CACHE_BYTES - read.bytes) // max(1, self._token_bytes)
        alone, branches = branched(rows, shared, room)
        for batch in batched(rows, shared, alone, _CACHE_BYTES // max(1, self._token_bytes)):
            beginning = min(shared[index] for index in batch)
            answers = self._answers([rows[index] for index in batch], read, beginning, check)
            values = np.concatenate([np.array(answer["target"], np.float64) for answer in answers], axis=1)
            for index, row in zip(batch, values, strict=True):
                found[index] = row[: len(rows[index].answer)]
        for first, others in branches:
            found[first], further = self._read(rows[first], read, check)
            self._after(further, rows, others, found, check)

    def _read(self, row: Row, after: _Read, check: Check) -> tuple[NDArray[np.float64], _Read]:
        """Score one row, and keep its prompt."""
        answers = self._answers([row], after, _shared(row, after), check)
        values = np.concatenate([np.array(answer["target"][0], np.float64) for answer in answers])
        return values[: len(row.answer)], self._kept(row, after.bytes)

    def _kept(self, row: Row, others: int = 0) -> _Read:
        """What the cache holds of a prompt that was just computed alone, as far as there is memory for it."""
        states = self._request.query_state()
        computed = len(row.prompt) + len(row.answer) - 1
        self._token_bytes = max(1, sum(state.state.byte_size for state in states) // computed)
        most = min(len(row.prompt), max(0, _CACHE_BYTES - others) // self._token_bytes)
        kept = [(state.name, np.array(state.state.data[:, :, :most])) for state in states]
        return _Read(ids=list(row.prompt[:most]), kept=kept, bytes=others + most * self._token_bytes)

    def _answers(
        self, rows: Sequence[Row], read: _Read, shared: int, check: Check
    ) -> Iterator[Mapping[str, NDArray[Any]]]:
        """Outputs of the graph at the answers' tokens, some columns after the others; `shared` tokens of what was read
        are not computed again. Prompts are filled up at their left, so that answers begin in one column; what fills
        them up is masked.
        """
        count, width = len(rows), max(len(row.prompt) for row in rows) - shared
        ids, indices, mask, targets = _laid_out(rows, shared, width)
        self._restore(read, shared)
        beams = np.zeros(count, np.int32) if shared else np.arange(count, dtype=np.int32)
        begin, total = 0, ids.shape[1]
        while begin < total:
            end = _end(begin, total, width - 1, count, self._most(check()))
            wanted = list(range(max(begin, width - 1) - begin, end - begin))
            asked = targets[:, begin + wanted[0] - width + 1 :][:, : len(wanted)] if wanted else targets[:, :1]
            seen = ids[:, begin:end], mask[:, : shared + end], indices[:, begin:end]
            answer = self._feed(*seen, beams, asked, wanted or [0])
            if wanted:
                yield answer
            beams, begin = np.arange(count, dtype=np.int32), end

    def _most(self, seconds: float | None) -> int:
        """Tokens of a call that may take so long."""
        return _TOKENS if seconds is None else int(min(_TOKENS, max(_FEWEST, seconds / self.pace)))

    def _restore(self, read: _Read, shared: int) -> None:
        """Go on after the first tokens of what was read."""
        self._request.reset_state()
        if shared:
            kept = dict(read.kept)
            for state in self._request.query_state():
                state.state = ov.Tensor(np.ascontiguousarray(kept[state.name][:, :, :shared]))

    def _feed(
        self, ids: Any, mask: Any, indices: Any, beams: Any, targets: Any, positions: Sequence[int] = (0,)
    ) -> Mapping[str, NDArray[Any]]:
        """Outputs for the targets at positions (N P) among these further tokens (N T), until the next call."""
        self.calls += 1
        self.tokens += ids.size
        begun = time.perf_counter()
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
        self.pace = min(self.pace, (time.perf_counter() - begun) / ids.size)
        return answer


def _shared(row: Row, read: _Read) -> int:
    """Tokens of what was read that a row begins with; its last one is always computed for it."""
    return min(common(row.prompt, read.ids), len(row.prompt) - 1)


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


def _end(begin: int, total: int, first: int, rows: int, most: int) -> int:
    """Where a call of at most so many tokens that begins at a column ends; columns from `first` on are scored."""
    end = min(begin + max(1, most // rows), total)
    return min(end, max(begin, first) + max(1, _SCORED // rows)) if end > first else end
