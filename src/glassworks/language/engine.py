"""What a session asks of what computes answers; only ids cross this boundary."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassworks.errors import Unsupported
from glassworks.language.lazily import Lazily
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


class LateEngine(Engine):
    """Opened when the first answer is asked for: what is only scored needs no memory for writing."""

    def __init__(self, make: Callable[[], Engine]) -> None:
        self._engine, self._made = Lazily(make), False

    @property
    def open_requests(self) -> int:
        return self._engine().open_requests if self._made else 0

    def generate(self, ids: Sequence[int], sampling: Sampling) -> Generator[Generated, None, None]:
        self._made = True
        yield from self._engine().generate(ids, sampling)

    def close(self) -> None:
        if self._made:
            self._engine().close()


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenScore:
    """A token where it stands; `rank` 1 is the most probable. `alternatives` are (id, log-probability), best first."""

    id: int
    log_probability: float
    rank: int
    alternatives: tuple[tuple[int, float], ...] = ()
    entropy: float | None = None
    """Of all tokens that could have stood there, in nats; None where it was not asked for or is not known."""


def alternatives_of(answer: Mapping[str, NDArray[Any]], row: int, count: int) -> tuple[tuple[int, float], ...]:
    """Of the outputs of a scoring graph, the most probable tokens at a position of its first row."""
    ids, values = answer["top_ids"][0, row, :count], answer["top"][0, row, :count]
    return tuple((int(token), float(value)) for token, value in zip(ids, values, strict=True))


@dataclass(frozen=True, slots=True)
class Row:
    """A prompt that is not empty, and an answer of at least one token whose log-probability is asked for."""

    prompt: Sequence[int]
    answer: Sequence[int]


Check = Callable[[], float | None]
"""Called between the calls of a graph; it may end them by what it raises. It gives the seconds that the next one may
take, None for any."""


def unhindered() -> None:
    """Goes on."""


class Variants(ABC):
    """Scores the answers to variants of one prompt. `calls` counts how often the graph was run so far, `tokens` what it
    computed; `pace` is the fewest seconds a token in one call, infinite before the first.
    """

    calls: int
    tokens: int
    pace: float

    @abstractmethod
    def score(self, rows: Sequence[Row], check: Check = unhindered) -> list[NDArray[np.float64]]:
        """Log-probabilities of the tokens of each row's answer, given its prompt and the tokens before them."""

    @abstractmethod
    def describe(self, row: Row, alternatives: int, check: Check = unhindered) -> list[TokenScore]:
        """The tokens of one answer."""


class Scoring(ABC):
    """Tells log-probabilities that are seldom asked for. Safe to share between threads."""

    def embed(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """The mean of the last hidden vectors (D) of tokens. Raises Unsupported where an engine does not give them."""
        raise Unsupported("this engine gives no hidden vectors", "serve the model with model.engine = openvino")

    @abstractmethod
    def score(self, ids: Sequence[int], alternatives: int = 0) -> list[TokenScore]:
        """Each token but the first, given those before it."""

    def read(self, ids: Sequence[int], alternatives: int = 0) -> tuple[list[TokenScore], Any]:
        """What `score` gives, and what `generate` goes on from, where there is such a thing."""
        return self.score(ids, alternatives), None

    def variants(self, base: Sequence[int]) -> Variants:
        """What scores answers to variants of the prompt `base`. Here each alone, by an engine that keeps beginnings."""
        return _OneByOne(self)

    @abstractmethod
    def generate(
        self,
        ids: Sequence[int],
        sampling: Sampling,
        bias: Mapping[int, float],
        alternatives: int = 0,
        begun: Any = None,
    ) -> Generator[Generated, None, None]:
        """An answer with `bias` added to the logits of tokens; alternatives are those before it. `begun` is what `read`
        gave of the same ids.

        Parts without tokens may come, so that it can be closed while the prompt is computed.
        """


class _OneByOne(Variants):
    def __init__(self, scoring: Scoring) -> None:
        self._scoring = scoring
        self.calls = self.tokens = 0
        self.pace = float("inf")

    def score(self, rows: Sequence[Row], check: Check = unhindered) -> list[NDArray[np.float64]]:
        found = []
        for row in rows:
            check()
            scores = self._scored(row, 0)
            found.append(np.array([score.log_probability for score in scores], np.float64))
        return found

    def describe(self, row: Row, alternatives: int, check: Check = unhindered) -> list[TokenScore]:
        check()
        return self._scored(row, alternatives)

    def _scored(self, row: Row, alternatives: int) -> list[TokenScore]:
        begun, tokens = time.perf_counter(), len(row.prompt) + len(row.answer) - 1
        found = self._scoring.score([*row.prompt, *row.answer], alternatives)[-len(row.answer) :]
        self.calls, self.tokens = self.calls + 1, self.tokens + tokens
        self.pace = min(self.pace, (time.perf_counter() - begun) / tokens)
        return found


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
