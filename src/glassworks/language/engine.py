"""What a session asks of what computes answers; only ids cross this boundary."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence

from glassworks.language.sampling import Generated, Sampling


class Engine(ABC):
    """Answers prompts of ids, many at once. Safe to share between threads. What each must keep is a suite of tests:
    `tests/unit/language/engine_contract.py`.
    """

    @property
    @abstractmethod
    def open_requests(self) -> int:
        """Answers that are waiting or under way."""

    @abstractmethod
    def generate(self, ids: Sequence[int], sampling: Sampling) -> Generator[Generated, None, None]:
        """The answer to a prompt as its tokens come; closing the generator ends it soon.

        Parts without tokens may come while nothing else does, so that it can be closed then too. The caller sees to it
        that prompt and answer fit into the model's context and the cache. Raises InputError for settings that the
        engine refuses, and Overloaded where it was closed or failed.
        """

    @abstractmethod
    def close(self) -> None:
        """Give everything back; answers under way get Overloaded."""
