"""Log-likelihoods of many known texts, several in one batch, what they begin with computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glassworks.language.engine import Row, Scoring


@dataclass(frozen=True, kw_only=True)
class Known:
    """A sequence of tokens, and which of them (T) count; the first never does, as nothing stands before it."""

    ids: Sequence[int]
    learned: NDArray[np.bool_]


def likelihoods(scorer: Scoring, texts: Sequence[Sequence[Known]]) -> NDArray[np.float64]:
    """Of each text, which may have several parts, the sum of the log-probabilities and how many tokens it is of (N 2).

    Only positions where a token counts are scored, and those between them: at each of them the log-probabilities of all
    tokens are in memory.
    """
    found = np.zeros((len(texts), 2))
    rows, counted = list[Row](), list[tuple[int, NDArray[np.bool_]]]()
    for number, parts in enumerate(texts):
        for part in parts:
            positions = np.flatnonzero(part.learned[1:]) + 1
            if len(positions):
                first, end = int(positions[0]), int(positions[-1]) + 1
                rows.append(Row(part.ids[:first], part.ids[first:end]))
                counted.append((number, part.learned[first:end]))
    if not rows:
        return found
    scores = scorer.variants(max((row.prompt for row in rows), key=len)).score(rows)
    for (number, learned), values in zip(counted, scores, strict=True):
        found[number] += float(np.sum(values[learned])), int(learned.sum())
    return found
