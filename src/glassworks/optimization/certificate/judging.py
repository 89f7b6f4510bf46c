"""The verdict on each limit: what was measured, what is proven, and what would prove it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from glassworks.contracts import Load, Measurement
from glassworks.optimization.certificate.drops import Discordant, enough_examples
from glassworks.optimization.certificate.evidence import THROUGHPUT, Evidence, Pair, is_timed
from glassworks.optimization.certificate.paired import worsening
from glassworks.optimization.certificate.quantiles import Bounded
from glassworks.optimization.certificate.record import Figure, Promise, Verdict
from glassworks.optimization.terms import Constraint, Objective, Term

_QUANTILE, _BLOCKS = "order statistics of the requests", "bootstrap of windows of time, both models together"
_COUNTED, _SEARCHED, _INTERVAL = "counted", "as measured in the search", "95 % interval of the metric"
_NEEDED = {"latency_p50": 5, "latency_p99": 299}
"""Requests that bound a percentile at all: 0.5^5 and 0.99^299 are below 5 %."""
SLOWER = "no slower than the fp32 reference"


def judge(objective: Objective, evidence: Evidence) -> tuple[Promise, ...]:
    """A verdict on each limit, and on the promise that goes with every model: that it is no slower than fp32."""
    promises = [promise_of(rule, evidence) for rule in objective.within]
    return (*promises, *_no_slower(evidence))


def figures(evidence: Evidence) -> tuple[Figure, ...]:
    """What the served path took, of both models at each load."""
    return tuple(_figure(name, load, pair) for load, pair in evidence.pairs.items() for name in (*_NEEDED, THROUGHPUT))


def promise_of(rule: Constraint, evidence: Evidence) -> Promise:
    """The verdict on one limit."""
    bounded, method, table = _measured(rule, evidence)
    note = ""
    verdict = verdict_of(rule, bounded)
    if verdict == "kept, not proven":
        note = _shortage(rule, bounded, table)
    return _promise(rule.text, rule, bounded, verdict, method, note)


def verdict_of(rule: Constraint, bounded: Bounded) -> Verdict:
    """By the measured value, and by its bound on the side of the limit."""
    if not rule.keeps(bounded.value):
        return "broken"
    return "proven" if rule.keeps(_worst(rule, bounded)) else "kept, not proven"


def _worst(rule: Constraint, bounded: Bounded) -> float:
    return bounded.high if rule.relation == "<=" else bounded.low


def _promise(text: str, rule: Constraint, bounded: Bounded, verdict: Verdict, method: str, note: str = "") -> Promise:
    bound = _worst(rule, bounded)
    known = math.isfinite(bound)
    side = "at most" if rule.relation == "<=" else "at least"
    shown = rule.shown(bounded.value) + (f", {side} {rule.shown(bound)}" if known and bound != bounded.value else "")
    return Promise(
        limit=text,
        value=bounded.value,
        bound=bound if known else None,
        shown=shown,
        verdict=verdict,
        samples=bounded.samples,
        method=method,
        note=note,
    )


def _measured(rule: Constraint, evidence: Evidence) -> tuple[Bounded, str, Discordant | None]:
    """The value that is compared with the limit, how it was found, and what more examples would be like."""
    term = rule.term
    if term.quantity is None:
        return _of_metric(term, evidence)
    if is_timed(term.name) and (pair := pair_of(term, evidence)) is not None:
        if rule.relative:
            return pair.ratio(term.name), _BLOCKS, None
        return pair.of(term.name, pair.ours), _BLOCKS if term.name == THROUGHPUT else _QUANTILE, None
    value = rule.of(evidence.candidate, evidence.reference)
    if term.quantity.exact:
        return Bounded(value, value, value, 1), _COUNTED, None
    measured = evidence.candidate.measured.get(str(term))
    if measured is None or rule.relative or measured.examples < 2:
        return Bounded(value, -math.inf, math.inf, measured.examples if measured else 0), _SEARCHED, None
    return Bounded(value, *measured.interval, measured.examples), f"{_SEARCHED}, 95 % interval", None


def pair_of(term: Term, evidence: Evidence) -> Pair | None:
    """The requests that say something of a term: at its load, else at the usual one."""
    loads = list(evidence.pairs)
    if not loads:
        return None
    if term.load is not None:
        return evidence.pairs.get(term.load)
    largest = term.quantity is not None and term.quantity.largest
    return evidence.pairs[(max if largest else min)(loads)]


def _of_metric(term: Term, evidence: Evidence) -> tuple[Bounded, str, Discordant | None]:
    ours, theirs = evidence.metrics.get(term.name) or (
        evidence.candidate.metrics[term.name],
        evidence.reference.metrics[term.name],
    )
    if not term.change:
        return Bounded(ours.value, *ours.interval, ours.examples), _INTERVAL, None
    scale = abs(theirs.value) if term.change == "rise" and theirs.value else 1.0
    if evidence.same:
        return Bounded(0.0, 0.0, 0.0, ours.examples), "it is the reference itself", None
    scores = evidence.scores.get(term.name)
    if scores is not None and (found := worsening(*scores)) is not None:
        worse, method, table = found
        return Bounded(worse.value / scale, worse.low / scale, worse.high / scale, worse.samples), method, table
    value = (theirs.value - ours.value) * (1 if ours.higher_is_better else -1)
    low, high = _unpaired(ours, theirs)
    return Bounded(value / scale, low / scale, high / scale, ours.examples), "intervals of both metrics", None


def _unpaired(ours: Measurement, theirs: Measurement) -> tuple[float, float]:
    """Bounds of the drop where only the intervals are known (Zou and Donner 2008): wider than needed."""
    from glassworks.data.paired import unpaired

    low, _, high = unpaired(ours, theirs).rise
    return -high, -low


def _shortage(rule: Constraint, bounded: Bounded, table: Discordant | None) -> str:
    """What these data prove, and how many would prove the limit."""
    worst, n = _worst(rule, bounded), bounded.samples
    side = "at most" if rule.relation == "<=" else "at least"
    if is_timed(rule.term.name):
        needed = _NEEDED.get(rule.term.name, 2)
        return (
            f"{n:,} requests prove {side} {rule.shown(worst)}"
            if math.isfinite(worst)
            else f"{n:,} requests bound no {rule.term.name}: {needed} would"
        )
    if not math.isfinite(worst):
        return "it was measured once"
    said = f"{n:,} examples cannot prove {rule.text}: they prove {side} {rule.shown(worst)}"
    if table is None:
        return said
    enough = enough_examples(table, rule.limit)
    return f"{said}; {enough:,} would" if enough else f"{said}; no number would, as it is that near to the limit"


def _no_slower(evidence: Evidence) -> Sequence[Promise]:
    """At the load that the goal is about, by the median: broken where even its lower bound says that it is slower."""
    if evidence.same or not evidence.pairs:
        return ()
    load, pair = next(iter(evidence.pairs.items()))
    found = pair.ratio("latency_p50")
    verdict: Verdict = "broken" if found.low > 1 else "proven" if found.high <= 1 else "kept, not proven"
    rule = Constraint(text=SLOWER, term=Term(name="latency_p50", load=load), relation="<=", limit=1.0, relative=True)
    note = "the difference is within the noise" if verdict == "kept, not proven" else ""
    return (_promise(f"{SLOWER}: latency_p50@{load}", rule, found, verdict, _BLOCKS, note),)


def _figure(name: str, load: Load, pair: Pair) -> Figure:
    ours, theirs, ratio = pair.of(name, pair.ours), pair.of(name, pair.theirs), pair.ratio(name)
    return Figure(
        name=f"{name}@{load}",
        unit="rows/s" if name == THROUGHPUT else "ms",
        value=ours.value,
        bounds=_finite(ours),
        reference=theirs.value,
        reference_bounds=_finite(theirs),
        ratio=ratio.value,
        ratio_bounds=_finite(ratio),
        requests=ours.samples,
    )


def _finite(found: Bounded) -> tuple[float | None, float | None]:
    return found.low if math.isfinite(found.low) else None, found.high if math.isfinite(found.high) else None
