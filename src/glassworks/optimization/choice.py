"""Chooses among measured candidates by the objective, and says why."""

from __future__ import annotations

from glassworks.contracts import Candidate
from glassworks.optimization.exactness import exactness
from glassworks.optimization.nearest import impossible
from glassworks.optimization.terms import Objective

_TIE = 0.03
"""Differences in the objective below this share are noise: the more precise candidate is kept."""


def reference_of(candidates: list[Candidate], trained: set[str], objective: Objective) -> Candidate:
    """What passes make is compared with what was trained; where no engine runs that, with the next best."""
    exact = [c for c in candidates if c.name in trained] or [c for c in candidates if c.precision == "fp32"]
    return min(exact, key=lambda each: objective.cost(each, candidates[0]))


def choose(candidates: list[Candidate], reference: Candidate, objective: Objective) -> tuple[Candidate, list[str]]:
    """The candidate to serve, and sentences on what it costs. Raises Infeasible where none keeps the constraints."""
    feasible = [c for c in candidates if all(rule.holds(c, reference) for rule in objective.within)]
    if not feasible:
        raise impossible(candidates, reference, objective)
    chosen = _best(feasible, reference, objective)
    return chosen, _notes(chosen, reference, candidates, feasible, objective)


def ranked(candidates: list[Candidate], reference: Candidate, objective: Objective) -> list[Candidate]:
    """Those that keep the constraints, the one to serve first, then what would be served without those before."""
    left = [c for c in candidates if all(rule.holds(c, reference) for rule in objective.within)]
    found = []
    while left:
        found.append(_best(left, reference, objective))
        left.remove(found[-1])
    return found


def _best(feasible: list[Candidate], reference: Candidate, objective: Objective) -> Candidate:
    """Metrics are exact on the same examples: only what is timed or counted may differ by noise."""
    costs = {each.name: objective.cost(each, reference) for each in feasible}
    best = min(costs.values())
    tie = abs(best) * (_TIE if objective.goal.quantity is not None else 0.0)
    close = [each for each in feasible if costs[each.name] <= best + tie]
    return min(close, key=lambda each: (-exactness(each.precision), costs[each.name]))


def _notes(
    chosen: Candidate,
    reference: Candidate,
    candidates: list[Candidate],
    feasible: list[Candidate],
    objective: Objective,
) -> list[str]:
    notes = []
    for candidate in candidates:
        if candidate not in feasible:
            rules = [rule for rule in objective.within if not rule.holds(candidate, reference)]
            broken = [rule.broken(candidate, reference) for rule in rules]
            notes.append(f"{candidate.name} breaks {', '.join(broken)}")
    for batch, latency in chosen.latency_p50_ms.items():
        if latency > 1.05 * reference.latency_p50_ms[batch]:
            ratio = latency / reference.latency_p50_ms[batch]
            notes.append(f"at batch {batch}, {chosen.name} takes {ratio:.2f} times as long as {reference.name}")
    rates = [each.speeds.get("tokens_per_second", 0.0) for each in (chosen, reference)]
    if 0 < rates[0] < 0.95 * rates[1]:
        notes.append(f"{chosen.name} writes {rates[0]:.1f} tokens/s, {reference.name} {rates[1]:.1f}")
    for name, measured in chosen.metrics.items():
        loss = reference.metrics[name].value - measured.value
        if (loss if measured.higher_is_better else -loss) > 0:
            notes.append(f"{name} is {measured.value:.4f}, {reference.name} has {reference.metrics[name].value:.4f}")
    return notes


def certainty(objective: Objective, examples: int) -> list[str]:
    """A drop below one example's weight, or within the noise of the split, cannot be distinguished from none."""
    rises = [
        f"'{rule.text}' is checked on {examples} validation examples and is not a guarantee for new data"
        for rule in objective.within
        if rule.term.change == "rise"
    ]
    return rises + [
        f"{examples} validation examples resolve steps of {100 / examples:.2f} %: '{rule.text}' is checked against the "
        "observed difference and is not a guarantee for new data"
        for rule in objective.within
        if rule.term.change == "drop" and examples < 10_000
    ]
