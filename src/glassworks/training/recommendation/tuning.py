"""Settings by validation, under a time budget, with a guard against what is only noise."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassworks.catalog import require
from glassworks.data.interactions.protocols import Cut
from glassworks.tasks.recommendation.evaluation import evaluate
from glassworks.tasks.recommendation.scoring import Scorer

Settings = Mapping[str, Any]
Ladder = Mapping[str, Sequence[Any]]
"""Of each setting the values to try: coarse steps, since finer differences are noise on any validation set."""
METRIC = "ndcg_at_10"


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """The settings that were chosen, and sentences for people."""

    settings: Settings
    value: float
    trials: int
    note: str


def tune(
    make: Callable[[Settings], Scorer],
    default: Settings,
    ladder: Ladder,
    cut: Cut,
    *,
    trials: int,
    until: float,
    seed: int,
    clock: Callable[[], float] = time.monotonic,
) -> Tuned:
    """Try settings of the `ladder` on the validation users of `cut`, at most `trials` and not beyond the time `until`.

    The default stays unless another one is better by more than one standard error of the paired difference (the rule of
    Breiman et al. 1984, section 3.4.3): the fewer users, the more it takes. Raises MissingLibrary.
    """
    require(("optuna",), "tuning", extra="recommend")
    first = evaluate(cut, make(default)).users[METRIC]
    tried: list[tuple[Settings, NDArray[np.float64]]] = []
    seen = [dict(default)]
    study = _study(ladder, trials, seed)
    spent = 0.0
    for _ in range(trials - 1):
        began = clock()
        if began + spent > until:
            break
        trial = study.ask()
        settings = {**default, **{name: trial.suggest_categorical(name, list(of)) for name, of in ladder.items()}}
        if settings in seen:
            known = [values for other, values in tried if other == settings] or [first]
            study.tell(trial, float(known[0].mean()))
            continue
        seen.append(settings)
        values = evaluate(cut, make(settings)).users[METRIC]
        tried.append((settings, values))
        study.tell(trial, float(values.mean()))
        spent = max(spent, clock() - began)
    return _chosen(default, first, tried)


def _study(ladder: Ladder, trials: int, seed: int) -> Any:
    """In memory alone; all values in turn where they are few."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    count = int(np.prod([len(values) for values in ladder.values()]))
    if count <= trials:
        sampler: Any = optuna.samplers.GridSampler({name: list(values) for name, values in ladder.items()}, seed=seed)
    else:
        sampler = optuna.samplers.TPESampler(seed=seed)
    return optuna.create_study(direction="maximize", sampler=sampler)


def _chosen(
    default: Settings, first: NDArray[np.float64], tried: Sequence[tuple[Settings, NDArray[np.float64]]]
) -> Tuned:
    best, best_values = default, first
    for settings, values in tried:
        if values.mean() > best_values.mean() and beyond_noise(values - first):
            best, best_values = settings, values
    changed = ", ".join(f"{name} {value:g}" for name, value in best.items() if value != default.get(name))
    said = f"{changed} in place of the default" if changed else "the default stays: nothing was better beyond noise"
    note = f"{len(tried) + 1} settings on {len(first):,} validation users: {said} ({METRIC} {best_values.mean():.4f})"
    return Tuned(settings=best, value=float(best_values.mean()), trials=len(tried) + 1, note=note)


def beyond_noise(differences: NDArray[np.float64]) -> bool:
    """Whether the mean of paired differences is above one standard error."""
    if len(differences) < 2:
        return False
    return float(differences.mean()) > float(differences.std(ddof=1)) / np.sqrt(len(differences))
