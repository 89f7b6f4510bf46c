"""What an objective is made of: terms, constraints on them, and what is sought."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from glassworks.catalog import found
from glassworks.contracts import Candidate, Load, Quantity
from glassworks.errors import ConfigError

Change = Literal["", "drop", "rise"]
_SLACK = 1e-9
"""Forgives decimal fractions."""


@dataclass(frozen=True, kw_only=True)
class Term:
    """A quantity at a load, or a metric of the task: as it is, or how much worse than the reference's (`drop`), or by
    which share it rises above that (`rise`)."""

    name: str
    load: Load | None = None
    change: Change = ""

    def __str__(self) -> str:
        return self.name + (f"_{self.change}" if self.change else "") + (f"@{self.load}" if self.load else "")

    @property
    def quantity(self) -> Quantity | None:
        """What is measured of every kind of model; None for a metric."""
        return found(Quantity).get(self.name)

    def of(self, candidate: Candidate, reference: Candidate) -> float:
        """Its value for `candidate`. Raises ConfigError for what nobody measured."""
        if self.quantity is not None:
            value = self.quantity.of(candidate, self.load)
            if value is None:
                raise self._absent(self.quantity, candidate)
            return value
        if self.name not in candidate.metrics:
            raise unmeasured(self.name, candidate.metrics)
        return self._metric(candidate, reference)

    def _absent(self, quantity: Quantity, candidate: Candidate) -> ConfigError:
        if quantity.loads and self.load and self.load.concurrency == 1 and candidate.latency_p50_ms:
            return unmeasured_batch(str(self), candidate.latency_p50_ms)
        timings = [name for name, each in found(Quantity).items() if each.of(candidate, None) is not None]
        return untimed(self.name, timings)

    def _metric(self, candidate: Candidate, reference: Candidate) -> float:
        measured, before = candidate.metrics[self.name], reference.metrics[self.name].value
        if not self.change:
            return measured.value
        if self.change == "rise":
            if measured.higher_is_better:
                raise needless_rise(self.name)
            return _share(measured.value - before, before)
        return before - measured.value if measured.higher_is_better else measured.value - before

    def shown(self, value: float) -> str:
        """A value for people, in the term's unit."""
        if self.quantity is None:
            return f"{100 * value:.3g}%" if self.change else f"{value:.4g}"
        if self.name == "size":
            return next(f"{value / by:.3g}{unit}" for unit, by in _SIZES if value >= by or by == 1.0)
        unit = "" if self.quantity.unit in ("", "rank correlation") else f" {self.quantity.unit}"
        return f"{value:.3g}ms" if unit == " ms" else f"{value:.4g}{unit}"


_SIZES = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("", 1.0))


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """`term <= limit` or `term >= limit`; `text` is what the user wrote. A `relative` limit is a share of what the
    reference has: `size <= 30%`."""

    text: str
    term: Term
    relation: Literal["<=", ">="]
    limit: float
    relative: bool = False

    def of(self, candidate: Candidate, reference: Candidate) -> float:
        """What is compared with the limit."""
        value = self.term.of(candidate, reference)
        return _share(value, self.term.of(reference, reference), 0.0) if self.relative else value

    def keeps(self, value: float) -> bool:
        """Whether a value keeps it."""
        return value <= self.limit + _SLACK if self.relation == "<=" else value >= self.limit - _SLACK

    def holds(self, candidate: Candidate, reference: Candidate) -> bool:
        """Whether the candidate keeps it."""
        return self.keeps(self.of(candidate, reference))

    def excess(self, candidate: Candidate, reference: Candidate) -> float:
        """By how much it is broken, from 0 where it is kept to 1: the distance as a share of the larger of value and
        limit, so that those of different units can be compared, and one that is out of reach counts for no more."""
        value = self.of(candidate, reference)
        if self.keeps(value):
            return 0.0
        return 1.0 if math.isinf(value) else abs(value - self.limit) / max(abs(self.limit), abs(value))

    def shown(self, value: float) -> str:
        """A value for people, as the limit is written."""
        return f"{100 * value:.3g}%" if self.relative else self.term.shown(value)

    def broken(self, candidate: Candidate, reference: Candidate) -> str:
        """The constraint, with the figures of a candidate that breaks it where a share would hide them."""
        if self.term.change != "rise":
            return self.text
        name, share = self.term.name, self.term.of(candidate, reference)
        before, after = (each.metrics[name].value for each in (reference, candidate))
        return f"{self.text}: {name} rises by {share:.2%}, from {before:.4g} to {after:.4g}"


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What to make small, or large, within which constraints."""

    goal: Term
    maximize: bool = False
    within: tuple[Constraint, ...] = ()

    def cost(self, candidate: Candidate, reference: Candidate) -> float:
        """What the best candidate has least of."""
        value = self.goal.of(candidate, reference)
        return -value if self.maximize else value

    @property
    def terms(self) -> Iterator[Term]:
        """The goal's, and those of the constraints."""
        yield self.goal
        yield from (each.term for each in self.within)


def _share(part: float, whole: float, least: float = math.inf) -> float:
    """Of nothing, any part is endless: `least` stands for that of 0."""
    if whole:
        return part / whole
    return math.inf if part > 0 else min(least, 0.0)


def names() -> str:
    """What an objective may be about, in words."""
    return f"{', '.join(found(Quantity))}, or a metric of the task such as accuracy"


def unmeasured(name: str, metrics: Collection[str]) -> ConfigError:
    return ConfigError(f"'{name}' is not measured", f"name one of {names()}: {', '.join(metrics)}")


def untimed(name: str, timings: Sequence[str]) -> ConfigError:
    return ConfigError(f"'{name}' is not measured of this kind of model", f"name size, or one of: {', '.join(timings)}")


def unmeasured_batch(term: str, measured: Collection[int]) -> ConfigError:
    sizes = ", ".join(map(str, measured))
    return ConfigError(f"'{term}': latency is measured at batch {sizes}", "add it to optimization.batch_sizes")


def needless_rise(name: str) -> ConfigError:
    return ConfigError(f"'{name}_rise': more {name} is better", f"limit {name}_drop instead")
