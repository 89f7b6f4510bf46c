"""The objective: what to minimize or maximize within which constraints, in words that a job file and a command share.

    minimize = "latency_p99"            # at batch 32: "latency_p99@32"; of 8 callers with 1 row each: "latency_p99@1x8"
    maximize = "throughput@32"          # instead of minimize; a metric too: "accuracy"
    within   = ["accuracy_drop <= 0.5%", "latency_p99 <= 5ms", "size <= 30%", "memory <= 200MB", "accuracy >= 98%"]

Of models that write text:

    minimize = "size"                   # or time_per_token, first_token_p50, first_token_p99
    within   = ["perplexity_rise <= 2%", "tokens_per_second >= 20", "first_token_p99 <= 300ms"]

What can be named is in the folder `quantities`, beside the metrics of the task. Drop and rise are measured against the
fp32 artifact on the same validation examples; a rise is a share of its value, and so is a percentage of a quantity.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from glassworks.catalog import found
from glassworks.config import OptimizationConfig
from glassworks.contracts import Load, Measurement, Quantity, Task
from glassworks.errors import ConfigError
from glassworks.optimization.terms import (
    Change,
    Constraint,
    Objective,
    Term,
    names,
    needless_rise,
    unmeasured,
    unmeasured_batch,
    untimed,
)

_NUMBER = r"[-+]?(?:[0-9.]+(?:e[-+]?[0-9]+)?|nan|inf)"
_PATTERN = re.compile(
    rf"\s*([a-z_0-9]+?)(_drop|_rise)?(?:@(\d+)(?:x(\d+))?)?\s*(<=|>=)\s*({_NUMBER})\s*([A-Za-z/]+|%)?\s*", re.ASCII
)
_GOAL = re.compile(r"([a-z_0-9]+?)(_drop|_rise)?(?:@(\d+)(?:x(\d+))?)?", re.ASCII)
_SHARE: Mapping[str, float] = MappingProxyType({"": 1.0, "%": 0.01})
_CHANGES: Mapping[str | None, Change] = MappingProxyType({None: "", "_drop": "drop", "_rise": "rise"})
_MOST_ROWS, _MOST_CALLERS = 4096, 64
_EXAMPLE = "for example accuracy_drop <= 0.5% or latency_p99 <= 5ms"


def parse_objective(minimize: str, within: Sequence[str], maximize: str = "") -> Objective:
    """Read an objective as people write it; `maximize` stands instead of `minimize`. Raises ConfigError."""
    constraints = tuple(map(_constraint, within))
    _require_possible(constraints)
    return Objective(goal=_goal(maximize or minimize, bool(maximize)), maximize=bool(maximize), within=constraints)


def require_objective(
    config: OptimizationConfig, metrics: Collection[str] | Mapping[str, Measurement] = (), task: type[Task] = Task
) -> None:
    """Raise ConfigError for an objective that no search can follow; `metrics` are those of the task, where known."""
    objective = objective_of(config, task.minimize, config.within or ())
    for term in objective.terms:
        quantity = term.quantity
        if quantity is None:
            _require_metric(term, metrics, goal=term is objective.goal, maximize=objective.maximize)
        elif not quantity.fits(task):
            fitting = [name for name, each in found(Quantity).items() if each.fits(task) and name != "size"]
            raise untimed(term.name, fitting)
        elif reason := quantity.refusal():
            raise ConfigError(f"'{term}' cannot be measured here: {reason}", "leave it out of [optimization]")
        elif term.load and term.load.concurrency == 1 and term.load.batch not in config.batch_sizes:
            raise unmeasured_batch(str(term), config.batch_sizes)


def objective_of(config: OptimizationConfig, minimize: str, within: Sequence[str]) -> Objective:
    """What a configuration asks for; `minimize` and `within` are the task's own, where it says nothing.

    Raises ConfigError.
    """
    if config.minimize and config.maximize:
        both = f"both 'minimize' ({config.minimize}) and 'maximize' ({config.maximize}) are given"
        raise ConfigError(both, "keep one of them, and write a limit on the other into 'within'")
    chosen = within if config.within is None else config.within
    return parse_objective(config.minimize or minimize, chosen, config.maximize or "")


def _require_metric(
    term: Term, metrics: Collection[str] | Mapping[str, Measurement], *, goal: bool, maximize: bool
) -> None:
    if metrics and term.name not in metrics:
        raise unmeasured(term.name, metrics)
    known = metrics.get(term.name) if isinstance(metrics, Mapping) else None
    if known is None:
        return
    if term.change == "rise" and known.higher_is_better:
        raise needless_rise(term.name)
    better = known.higher_is_better and not term.change
    if goal and maximize != better:
        asked, other = ("maximize", "minimize") if maximize else ("minimize", "maximize")
        raise ConfigError(f"to {asked} '{term}' would seek the worst model", f"{other} it")


def _goal(text: str, maximize: bool) -> Term:
    """Raises ConfigError."""
    verb = "maximize" if maximize else "minimize"
    match = _GOAL.fullmatch(text.strip())
    if not match:
        raise ConfigError(f"cannot {verb} '{text}'", f"name {names()}; at batch 32: latency_p99@32")
    name, change, batch, callers = match.groups()
    quantity = found(Quantity).get(name)
    if quantity is None and not change and not maximize:
        mend = f"write {name}_drop if it is a metric, how much worse it is than in fp32; or name {names()}"
        raise ConfigError(f"cannot minimize '{text}'", mend)
    if quantity is not None and quantity.maximize != maximize:
        other = "minimize" if maximize else "maximize"
        raise ConfigError(
            f"cannot {verb} '{text}': less would be {'worse' if quantity.maximize else 'better'}", f"{other} it"
        )
    if fault := _fault(name, change, batch, callers):
        raise ConfigError(f"cannot {verb} '{text}': {fault}", f"name {names()}; at batch 32: latency_p99@32")
    return Term(name=name, load=_load(batch, callers), change=_CHANGES[change])


def _constraint(text: str) -> Constraint:
    match = _PATTERN.fullmatch(text)
    if not match:
        raise ConfigError(
            f"'{text}' is not a constraint", f"write QUANTITY <= NUMBER or QUANTITY >= NUMBER, {_EXAMPLE}"
        )
    name, change, batch, callers, relation, number, unit = match.groups()
    if fault := _fault(name, change, batch, callers):
        raise ConfigError(f"'{text}' is not a constraint: {fault}", f"name {names()}, or METRIC_drop or METRIC_rise")
    quantity = found(Quantity).get(name)
    relative = quantity is not None and unit == "%" and "%" not in quantity.units
    units = _SHARE if quantity is None or relative else quantity.units
    if (unit or "") not in units:
        allowed = ", ".join(filter(None, units))
        mend = f"write a number alone{', or with ' if allowed else ''}{allowed}"
        raise ConfigError(f"'{text}': '{unit}' is no unit of {name}", mend)
    term = Term(name=name, load=_load(batch, callers), change=_CHANGES[change])
    limit = _limit(text, number) * units[unit or ""]
    rule = Constraint(text=text, term=term, relation="<=" if relation == "<=" else ">=", limit=limit, relative=relative)
    _require_sensible(rule, number, unit or "")
    return rule


def _limit(text: str, number: str) -> float:
    try:
        limit = float(number)
    except ValueError:
        raise ConfigError(f"'{text}': {number} is not a number", f"write {_EXAMPLE}") from None
    if not math.isfinite(limit):
        raise ConfigError(f"'{text}': {number} is no limit", f"write a number, {_EXAMPLE}")
    if limit < 0:
        raise ConfigError(f"'{text}': a limit is not negative", f"write a number from 0 on, {_EXAMPLE}")
    return limit


def _require_sensible(rule: Constraint, number: str, unit: str) -> None:
    """Raise ConfigError for a limit that would forbid speed, or that nothing can keep."""
    quantity = rule.term.quantity
    if quantity is None:
        return
    wrong = "<=" if quantity.maximize else ">="
    if quantity.speed and rule.relation == wrong:
        mend = f"write {rule.term} {'>=' if quantity.maximize else '<='} {number}{unit}"
        raise ConfigError(f"'{rule.text}' would forbid speed", mend)
    if rule.limit == 0 and rule.relation == "<=":
        raise ConfigError(f"'{rule.text}': nothing has no {rule.term.name}", "write a limit above 0")


def _require_possible(constraints: Sequence[Constraint]) -> None:
    """Raise ConfigError for limits of the same thing that repeat or contradict each other."""
    known: dict[tuple[str, bool], dict[str, Constraint]] = {}
    for each in constraints:
        others = known.setdefault((str(each.term), each.relative), {})
        if each.relation in others:
            twice = f"'{others[each.relation].text}' and '{each.text}' limit the same on the same side"
            raise ConfigError(twice, "keep the one that you mean")
        others[each.relation] = each
    for pair in known.values():
        if len(pair) == 2 and pair[">="].limit > pair["<="].limit:
            both = f"'{pair['<='].text}' and '{pair['>='].text}' contradict each other"
            raise ConfigError(both, "leave one of them out, or set the lower limit below the upper one")


def _fault(name: str, change: str | None, batch: str | None, callers: str | None) -> str:
    """What is wrong about a term; empty where nothing is."""
    quantity = found(Quantity).get(name)
    if change and quantity is not None:
        return f"{name} has no {change[1:]}, a share of the reference's is {name} <= 90%"
    if batch is None:
        return ""
    if quantity is None or not quantity.loads:
        return f"{name} does not depend on a load"
    if not 1 <= int(batch) <= _MOST_ROWS or not 1 <= int(callers or 1) <= _MOST_CALLERS:
        return f"a load is BATCH or BATCHxCALLERS, such as 32 or 1x8, of at most {_MOST_ROWS} rows and {_MOST_CALLERS}"
    return ""


def _load(batch: str | None, callers: str | None) -> Load | None:
    return Load(int(batch), int(callers or 1)) if batch else None
