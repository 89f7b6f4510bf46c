"""What a session asks of what computes answers; only ids cross this boundary."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenScore:
    """A token where it stands; `rank` 1 is the most probable. `alternatives` are (id, log-probability), best first."""

    id: int
    log_probability: float
    rank: int
    alternatives: tuple[tuple[int, float], ...] = ()


class Scoring(ABC):
    """Tells log-probabilities that are seldom asked for. Safe to share between threads."""

    @abstractmethod
    def score(self, ids: Sequence[int], alternatives: int = 0) -> list[TokenScore]:
        """Each token but the first, given those before it."""

    @abstractmethod
    def generate(
        self, ids: Sequence[int], sampling: Sampling, bias: Mapping[int, float], alternatives: int = 0
    ) -> Generator[Generated, None, None]:
        """An answer with `bias` added to the logits of tokens; alternatives are those before it.

        Parts without tokens may come, so that it can be closed while the prompt is computed.
        """


class Computing(ABC):
    """Settings of a kind of engine, which open it."""

    cache_tokens: int
    """Of prompts and answers together, over all answers."""

    @abstractmethod
    def engine(self, folder: Path, contents: Sequence[bytes]) -> Engine:
        """The engine of the model in `folder`; `contents` are the bytes of its tokens. Raises GlassworksError."""

    @abstractmethod
    def scorer(self, folder: Path, engine: Engine) -> Scoring:
        """What scores the same model; `engine` is the one that was opened."""
