"""What grades one sample: criteria over the values of an item and of what a model answered."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from glassworks.evals.templates import Path
from glassworks.serving.protocols._openai.fields import Fields


class Ungraded(Exception):
    """A sample cannot be graded by a criterion; its text says why."""


@dataclass(frozen=True, slots=True)
class Grade:
    """`score` is a finite number; `sample` is what a judge was asked and said."""

    score: float
    passed: bool
    sample: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where samples are graded: `ask` gives the answer of /v1/chat/completions to a body, `on` runs on a thread what
    computes. Both raise Ungraded."""

    ask: Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
    on: Callable[[Callable[[], Any]], Awaitable[Any]]


@dataclass(frozen=True, kw_only=True)
class Criterion(ABC):
    """One grader of an eval."""

    name: str
    kind: str
    models: frozenset[str] = field(default=frozenset())
    """Those that it asks."""

    @property
    @abstractmethod
    def paths(self) -> Iterator[Path]:
        """The values that it needs."""

    @abstractmethod
    async def grade(self, values: Mapping[str, Any], around: Surroundings) -> Grade:
        """The grade of a sample, `values` by the namespaces of templates. Raises Ungraded and Missing."""


Read = Callable[[Fields, str, str], Criterion]
"""Reads a criterion of one kind: its fields, the kind, and where they are in the request."""


def finite(score: float, name: str) -> float:
    """Raises Ungraded for what is no finite number."""
    if not math.isfinite(score):
        raise Ungraded(f"'{name}' has no score: it is {score}")
    return score
