"""A prompt on its way through the engine of continuous batching."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from glassworks.language.reading import BLOCK_TOKENS
from glassworks.language.sampling import Generated, Sampling

NO_TOKENS = Generated(ids=(), log_probabilities=())
"""A part at which an answer can be closed."""
_SILENCE_S = 0.05
"""After that a part without tokens comes."""


@dataclass(eq=False)
class Request:
    """A prompt whose answer is read by one thread and written by the engine's."""

    ids: Sequence[int]
    sampling: Sampling
    answers: queue.SimpleQueue[Generated | Exception] = field(default_factory=queue.SimpleQueue)
    cancelled: bool = False
    handle: Any = None
    cached: int = 0
    """Tokens of the prompt that need not be computed."""
    prefix: Any = None
    """Handle of the part of the prompt that is computed now; `done` tokens are when it is."""
    done: int = 0
    answered: list[int] = field(default_factory=list)
    """Tokens of the answer so far; with the first of them the whole prompt is computed."""
    ended: bool = False
    """Whether nobody waits for what is still to come."""
    waiting: bool = False
    """Whether somebody stands at `answers`, which are empty."""
    slow: int = 0
    """For so many tokens more the engine does not wait for who reads."""

    @property
    def blocks(self) -> int:
        """Most that it can use of the cache."""
        return -(-(len(self.ids) + self.sampling.max_tokens) // BLOCK_TOKENS)

    @property
    def back(self) -> bool:
        """Whether who reads has taken what there was, or takes no more."""
        return self.waiting or self.ended or self.cancelled

    def pardoned(self) -> bool:
        """Whether it was slow lately; asked once a token."""
        self.slow = max(0, self.slow - 1)
        return self.slow > 0

    def next_part(self) -> Generated | Exception:
        """What comes next, within a moment one without tokens."""
        self.waiting = self.answers.empty()
        try:
            return self.answers.get(timeout=_SILENCE_S)
        except queue.Empty:
            return NO_TOKENS
