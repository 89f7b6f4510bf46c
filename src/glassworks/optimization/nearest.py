"""Wishes that no candidate fulfils: the nearest one, what blocks it, and which limit could be kept instead."""

from __future__ import annotations

import math
from collections.abc import Sequence

from glassworks.contracts import Candidate
from glassworks.errors import Infeasible
from glassworks.optimization.terms import Constraint, Objective


def impossible(candidates: Sequence[Candidate], reference: Candidate, objective: Objective) -> Infeasible:
    """The error that says so, with figures."""
    nearest = min(candidates, key=lambda each: distance(each, reference, objective))
    blocking = [rule for rule in objective.within if not rule.holds(nearest, reference)]
    broken = [f"{rule.text} (it has {rule.shown(rule.of(nearest, reference))})" for rule in blocking]
    reachable = [line for rule in blocking if (line := _reachable(rule, candidates, reference, objective))]
    together = ", ".join(f"{rule.term} {rule.relation} {_loosened(rule, nearest, reference)}" for rule in blocking)
    alone = f"; or, with all others kept, {' or '.join(reachable)}" if reachable and len(blocking) > 1 else ""
    return Infeasible(
        f"no candidate keeps the constraints; the nearest, {nearest.name}, breaks: {', '.join(broken)}",
        f"relax what blocks it in [optimization] within: {together} is reached by {nearest.name}{alone}",
    )


def distance(candidate: Candidate, reference: Candidate, objective: Objective) -> float:
    """How far a candidate is from what is wished: Euclid's over what each limit is broken by, 0 to 1 each."""
    return math.hypot(*(rule.excess(candidate, reference) for rule in objective.within))


def _reachable(rule: Constraint, candidates: Sequence[Candidate], reference: Candidate, objective: Objective) -> str:
    """The best that is reached of one limit by candidates that keep all others; empty where none does."""
    others = [each for each in objective.within if each is not rule]
    keeping = [each for each in candidates if all(other.holds(each, reference) for other in others)]
    if not keeping:
        return ""
    best = min(keeping, key=lambda each: rule.excess(each, reference))
    return f"{rule.term} {rule.relation} {_loosened(rule, best, reference)} ({best.name})"


def _loosened(rule: Constraint, candidate: Candidate, reference: Candidate) -> str:
    """A limit that the candidate keeps: three digits, rounded away from what it has."""
    value = rule.of(candidate, reference)
    if not value or not math.isfinite(value):
        return rule.shown(value)
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    rounded = math.ceil(value / step) * step if rule.relation == "<=" else math.floor(value / step) * step
    return rule.shown(rounded)
