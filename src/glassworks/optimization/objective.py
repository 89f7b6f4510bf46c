"""The objective: what to minimize within which constraints, in words that a job file and a command line share.

    minimize = "latency_p99"            # or latency_p50, size; at batch 32: "latency_p99@32"
    within   = ["accuracy_drop <= 0.5%", "latency_p99 <= 5ms", "size <= 1MB", "accuracy >= 98%"]

Of models that write text:

    minimize = "size"                   # or time_per_token, first_token_p50, first_token_p99
    within   = ["perplexity_rise <= 2%", "tokens_per_second >= 20", "first_token_p99 <= 300ms"]

Drop and rise are measured against the fp32 artifact on the same validation examples; a rise is a share of its value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from glassworks.config import OptimizationConfig
from glassworks.contracts import Candidate, Task
from glassworks.errors import ConfigError

_PATTERN = re.compile(
    r"\s*([a-z_0-9]+?)(_drop|_rise)?(?:@(\d+))?\s*(<=|>=)\s*([0-9.]+)\s*(%|ms|us|s|kB|KB|MB|GB)?\s*", re.ASCII
)
_MILLISECONDS = {None: 1.0, "us": 1e-3, "ms": 1.0, "s": 1e3}
_BYTES = {None: 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9}
_SHARE = {None: 1.0, "%": 0.01}
_Change = Literal["", "drop", "rise"]
_CHANGES: Mapping[str | None, _Change] = MappingProxyType({None: "", "_drop": "drop", "_rise": "rise"})
_BY_BATCH = ("latency_p50", "latency_p99")
_RATE, _TIME = "tokens_per_second", "time_per_token"
_SPEEDS = (_RATE, _TIME, "first_token_p50", "first_token_p99")
_UNITS: Mapping[str, Mapping[str | None, float]] = MappingProxyType(
    {**dict.fromkeys((*_BY_BATCH, *_SPEEDS), _MILLISECONDS), _RATE: {None: 1.0}, "size": _BYTES}
)
_MINIMIZED = (*_BY_BATCH, "size", *_SPEEDS[1:])
_WHAT = "latency_p50, latency_p99 (with @BATCH), size"
_OF_TEXT = "of models that write text time_per_token, first_token_p50 or first_token_p99"
_ALLOWED = f"{_WHAT}, or a metric of the task such as accuracy; {_OF_TEXT}, and tokens_per_second >= NUMBER"


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """Something measured of a candidate: `latency_p99` at a batch size (ms), `size` (bytes), a speed or a metric.

    `change` says that a metric is compared with the reference's.
    """

    name: str
    batch: int | None = None
    change: _Change = ""

    def of(self, candidate: Candidate, reference: Candidate) -> float:
        """Its value for `candidate`. Raises ConfigError for a quantity that nobody measured."""
        if self.name == "size":
            return float(candidate.size_bytes)
        if self.name in _BY_BATCH:
            return self._latency(candidate)
        if self.name in _SPEEDS:
            return self._speed(candidate)
        if self.name not in candidate.metrics:
            raise _unmeasured(self.name, candidate.metrics)
        return self._metric(candidate, reference)

    def _latency(self, candidate: Candidate) -> float:
        latencies = candidate.latency_p50_ms if self.name == "latency_p50" else candidate.latency_p99_ms
        batch = self.batch or min(latencies, default=1)
        if batch not in latencies:
            raise _unmeasured_batch(self.name, batch, latencies) if latencies else _untimed(self.name, _SPEEDS)
        return latencies[batch]

    def _speed(self, candidate: Candidate) -> float:
        measured = _RATE if self.name == _TIME else self.name
        if measured not in candidate.speeds:
            raise _untimed(self.name, _BY_BATCH)
        speed = candidate.speeds[measured]
        return 1e3 / speed if self.name == _TIME else speed

    def _metric(self, candidate: Candidate, reference: Candidate) -> float:
        measured, before = candidate.metrics[self.name], reference.metrics[self.name].value
        if not self.change:
            return measured.value
        if self.change == "rise":
            if measured.higher_is_better:
                raise ConfigError(f"'{self.name}_rise': more {self.name} is better", f"limit {self.name}_drop instead")
            return _share(measured.value - before, before)
        return before - measured.value if measured.higher_is_better else measured.value - before


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """`quantity <= limit` or `quantity >= limit`; `text` is what the user wrote."""

    text: str
    quantity: Quantity
    relation: Literal["<=", ">="]
    limit: float

    def holds(self, candidate: Candidate, reference: Candidate) -> bool:
        """Whether the candidate keeps it; a tolerance of 1e-9 forgives decimal fractions."""
        value = self.quantity.of(candidate, reference)
        return value <= self.limit + 1e-9 if self.relation == "<=" else value >= self.limit - 1e-9

    def broken(self, candidate: Candidate, reference: Candidate) -> str:
        """The constraint, with the figures of a candidate that breaks it where a share would hide them."""
        if self.quantity.change != "rise":
            return self.text
        name, share = self.quantity.name, self.quantity.of(candidate, reference)
        before, after = (each.metrics[name].value for each in (reference, candidate))
        return f"{self.text}: {name} rises by {share:.2%}, from {before:.4g} to {after:.4g}"


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What to minimize, within which constraints."""

    minimize: Quantity
    within: tuple[Constraint, ...]


def parse_objective(minimize: str, within: Sequence[str]) -> Objective:
    """Read an objective as people write it. Raises ConfigError."""
    match = re.fullmatch(r"([a-z_0-9]+)(?:@(\d+))?", minimize.strip(), re.ASCII)
    if not match or match[1] not in _MINIMIZED or (match[2] and match[1] not in _BY_BATCH):
        mend = f"minimize {_WHAT}, for example latency_p99@32; {_OF_TEXT}"
        if match and match[1] == _RATE:
            mend = f"minimize {_TIME}, which is 1000 ms / {_RATE}"
        raise ConfigError(f"cannot minimize '{minimize}'", mend)
    quantity = Quantity(name=match[1], batch=int(match[2]) if match[2] else None)
    return Objective(minimize=quantity, within=tuple(_constraint(text) for text in within))


def require_objective(config: OptimizationConfig, metrics: Collection[str] = (), task: type[Task] = Task) -> None:
    """Raise ConfigError for an objective that no search can follow; `metrics` are those of the task, where known."""
    objective = parse_objective(config.minimize or task.minimize, config.within or ())
    for quantity in (objective.minimize, *(each.quantity for each in objective.within)):
        if quantity.name not in _UNITS and metrics and quantity.name not in metrics:
            raise _unmeasured(quantity.name, metrics)
        if quantity.name in (*_BY_BATCH, *_SPEEDS) and quantity.name not in task.timings:
            raise _untimed(quantity.name, task.timings)
        if quantity.batch and quantity.batch not in config.batch_sizes:
            raise _unmeasured_batch(quantity.name, quantity.batch, config.batch_sizes)


def _share(rise: float, before: float) -> float:
    if before:
        return rise / before
    return math.inf if rise > 0 else 0.0


def _unmeasured(name: str, metrics: Collection[str]) -> ConfigError:
    return ConfigError(f"'{name}' is not measured", f"name one of {_ALLOWED}: {', '.join(metrics)}")


def _untimed(name: str, timings: Sequence[str]) -> ConfigError:
    return ConfigError(f"'{name}' is not measured of this kind of model", f"name size, or one of: {', '.join(timings)}")


def _unmeasured_batch(name: str, batch: int, measured: Collection[int]) -> ConfigError:
    sizes = ", ".join(map(str, measured))
    return ConfigError(f"'{name}@{batch}': latency is measured at batch {sizes}", "add it to optimization.batch_sizes")


def _constraint(text: str) -> Constraint:
    match = _PATTERN.fullmatch(text)
    if not match:
        raise ConfigError(
            f"'{text}' is not a constraint",
            "write QUANTITY <= NUMBER, for example accuracy_drop <= 0.5% or latency_p99 <= 5ms",
        )
    name, change, batch, relation, number, unit = match.groups()
    units = _UNITS.get(name, _SHARE)
    if (change and name in _UNITS) or (batch and name not in _BY_BATCH) or batch == "0":
        raise ConfigError(f"'{text}' is not a constraint", f"name {_ALLOWED}, or METRIC_drop or METRIC_rise")
    if name == _RATE and relation == "<=":
        raise ConfigError(f"'{text}' would forbid speed", f"write {_RATE} >= {number}")
    if unit not in units:
        allowed = ", ".join(filter(None, units))
        mend = f"write a number alone{', or with ' if allowed else ''}{allowed}"
        raise ConfigError(f"'{text}': '{unit}' is no unit of {name}", mend)
    try:
        limit = float(number) * units[unit]
    except ValueError:
        raise ConfigError(f"'{text}': {number} is not a number", "write for example accuracy_drop <= 0.5%") from None
    quantity = Quantity(name=name, batch=int(batch) if batch else None, change=_CHANGES[change])
    return Constraint(text=text, quantity=quantity, relation="<=" if relation == "<=" else ">=", limit=limit)
