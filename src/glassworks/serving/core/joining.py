"""A whole answer from its chunks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.contracts import Chunk

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors

FINISH_REASON = "finish_reason"
"""The output of a whole answer that says why it ended; of a stream, the last chunk says so."""
LISTS = frozenset({"tool_calls", "logprobs", "prompt_logprobs", "prompt_tokens", "nearest"})
"""Outputs that are JSON lists, of which each chunk has some entries; all others are texts, of which it has a part."""
_COUNTS = tuple(field.name for field in fields(Chunk) if field.name.endswith("_tokens"))


def joined(chunks: Sequence[Chunk]) -> Tensors:
    """The outputs of one answer (of one row each): texts joined, lists as one, and `finish_reason`."""
    parts: dict[str, list[bytes]] = {}
    for chunk in chunks:
        for name, values in chunk.outputs.items():
            parts.setdefault(name, []).append(values.item())
    whole = {name: _one(_list(found) if name in LISTS else b"".join(found)) for name, found in parts.items()}
    reason = chunks[-1].finish_reason if chunks else ""
    return {**whole, FINISH_REASON: _one(reason.encode())}


def rows_of(answers: Sequence[Tensors], names: Iterable[str]) -> Tensors:
    """The outputs of those names of several answers, a row each; of what an answer lacks, an empty text."""
    return {name: _column([answer[name].item() if name in answer else b"" for answer in answers]) for name in names}


def added_up(last: Sequence[Chunk]) -> Chunk:
    """The counts of several answers together, from the last chunks of each."""
    sums = {name: sum(getattr(chunk, name) for chunk in last) for name in _COUNTS}
    return replace(last[-1], outputs={}, **sums)


def _list(parts: Sequence[bytes]) -> bytes:
    inner = [part.strip()[1:-1].strip() for part in parts]
    return b"[" + b",".join(part for part in inner if part) + b"]"


def _one(value: bytes) -> Array:
    return _column([value])


def _column(values: Sequence[Any]) -> Array:
    column = np.empty(len(values), object)
    column[:] = values
    return column
