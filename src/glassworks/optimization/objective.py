"""The objective: what to minimize within which constraints, in words that a job file and a command line share.

    minimize = "latency_p99"            # or latency_p50, size; at batch 32: "latency_p99@32"
    within   = ["accuracy_drop <= 0.5%", "latency_p99 <= 5ms", "size <= 1MB", "accuracy >= 98%"]

A drop is measured against the fp32 artifact on the same validation examples.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from glassworks.config import OptimizationConfig
from glassworks.contracts import Candidate
from glassworks.errors import ConfigError

_PATTERN = re.compile(
    r"\s*([a-z_0-9]+?)(_drop)?(?:@(\d+))?\s*(<=|>=)\s*([0-9.]+)\s*(%|ms|us|s|kB|KB|MB|GB)?\s*", re.ASCII
)
_MILLISECONDS = {None: 1.0, "us": 1e-3, "ms": 1.0, "s": 1e3}
_BYTES = {None: 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9}
_SHARE = {None: 1.0, "%": 0.01}
_UNITS = {"latency_p50": _MILLISECONDS, "latency_p99": _MILLISECONDS, "size": _BYTES}
_ALLOWED = "latency_p50, latency_p99 (with @BATCH), size, or a metric of the task such as accuracy"


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """Something measured of a candidate: `latency_p99` at a batch size (ms), `size` (bytes) or a metric."""

    name: str
    batch: int | None = None
    drop: bool = False

    def of(self, candidate: Candidate, reference: Candidate) -> float:
        """Its value for `candidate`. Raises ConfigError for a quantity that nobody measured."""
        if self.name == "size":
            return float(candidate.size_bytes)
        if self.name in ("latency_p50", "latency_p99"):
            latencies = candidate.latency_p50_ms if self.name == "latency_p50" else candidate.latency_p99_ms
            batch = self.batch or min(latencies)
            if batch not in latencies:
                raise _unmeasured_batch(self.name, batch, latencies)
            return latencies[batch]
        if self.name not in candidate.metrics:
            raise _unmeasured(self.name, candidate.metrics)
        value = candidate.metrics[self.name].value
        if not self.drop:
            return value
        fall = reference.metrics[self.name].value - value
        return fall if candidate.metrics[self.name].higher_is_better else -fall


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


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What to minimize, within which constraints."""

    minimize: Quantity
    within: tuple[Constraint, ...]


def parse_objective(minimize: str, within: Sequence[str]) -> Objective:
    """Read an objective as people write it. Raises ConfigError."""
    match = re.fullmatch(r"(latency_p50|latency_p99|size)(?:@(\d+))?", minimize.strip())
    if not match:
        raise ConfigError(
            f"cannot minimize '{minimize}'", "minimize latency_p50, latency_p99 or size, for example latency_p99@32"
        )
    quantity = Quantity(name=match[1], batch=int(match[2]) if match[2] else None)
    return Objective(minimize=quantity, within=tuple(_constraint(text) for text in within))


def require_objective(config: OptimizationConfig, metrics: Collection[str] = ()) -> None:
    """Raise ConfigError for an objective that no search can follow; `metrics` are those of the task, where known."""
    objective = parse_objective(config.minimize, config.within or ())
    for quantity in (objective.minimize, *(each.quantity for each in objective.within)):
        if quantity.name not in _UNITS and metrics and quantity.name not in metrics:
            raise _unmeasured(quantity.name, metrics)
        if quantity.batch and quantity.batch not in config.batch_sizes:
            raise _unmeasured_batch(quantity.name, quantity.batch, config.batch_sizes)


def _unmeasured(name: str, metrics: Collection[str]) -> ConfigError:
    return ConfigError(f"'{name}' is not measured", f"name one of {_ALLOWED}: {', '.join(metrics)}")


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
    name, drop, batch, relation, number, unit = match.groups()
    units = _UNITS.get(name, _SHARE)
    if (drop and name in _UNITS) or (batch and units is not _MILLISECONDS) or batch == "0":
        raise ConfigError(f"'{text}' is not a constraint", f"name {_ALLOWED}, or METRIC_drop")
    if unit not in units:
        allowed = ", ".join(filter(None, units))
        raise ConfigError(f"'{text}': '{unit}' is no unit of {name}", f"write a number alone, or with {allowed}")
    try:
        limit = float(number) * units[unit]
    except ValueError:
        raise ConfigError(f"'{text}': {number} is not a number", "write for example accuracy_drop <= 0.5%") from None
    quantity = Quantity(name=name, batch=int(batch) if batch else None, drop=bool(drop))
    return Constraint(text=text, quantity=quantity, relation="<=" if relation == "<=" else ">=", limit=limit)
