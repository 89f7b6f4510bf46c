"""Regression gates: registered with a model, measured, and asked before an alias names another version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from glassworks.comparison.measuring import evaluate
from glassworks.contracts import Evaluation, Progress
from glassworks.errors import Conflict, InputError
from glassworks.progress import Silent
from glassworks.registry import Registry, Version
from glassworks.registry.gates import Gate, Gates, Unmeasured


def set_gate(
    reference: str,
    gate: str,
    found: Evaluation,
    asked: Mapping[str, Any],
    registry: Registry,
    metric: str = "",
    tolerance: float | None = None,
) -> Gate:
    """Let versions of a model be held against a set, of which `found` is what `reference` has there; `asked` is what
    `evaluate` was given: `source`, `columns` and further questions. The first metric unless one is named. Raises
    InputError and NotFound.
    """
    model = registry.find(reference)
    if tolerance is not None and not 0 <= tolerance < float("inf"):
        raise InputError(f"the tolerance is {tolerance:g}", "give a number from 0 on, in the unit of the metric")
    if asked.get("output") or asked.get("judge"):
        raise InputError("a gate takes no judge and no output file", "leave --judge and --output out")
    metric = metric or next(iter(found.metrics))
    if metric not in found.metrics:
        raise InputError(f"there is no metric '{metric[:60]}'", f"metrics: {', '.join(found.metrics):.200}")
    made = Gates(registry).set(Gate(model=model.name, gate=gate, asked=dict(asked), metric=metric, tolerance=tolerance))
    Gates(registry).keep(made, model.version, found)
    return made


def measure_gate(gate: Gate, version: int, registry: Registry, progress: Progress | None = None) -> Evaluation:
    """What a version has on a gate, measured now and kept. Raises what measuring raises."""
    found = evaluate(f"{gate.model}@{version}", registry, progress or Silent(), **gate.asked)
    Gates(registry).keep(gate, version, found)
    return found


def require_passed(version: Version, alias: str, registry: Registry, progress: Progress | None = None) -> None:
    """Raise Conflict for a version that fell on a gate, against the one that the alias names now; what is not known yet
    is measured.
    """
    gates = Gates(registry)
    for _ in range(1 + len(gates.of(version.name))):
        try:
            gates.require_passed(version, alias)
        except Unmeasured as unknown:
            for each in unknown.versions:
                measure_gate(unknown.gate, each.version, registry, progress)
        else:
            return
    raise Conflict("the data of a gate change while it is measured", "wait until they stay as they are")
