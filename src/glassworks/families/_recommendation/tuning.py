"""Settings by validation, under a time budget, with a guard against what is only noise."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassworks.catalog import require
from glassworks.contracts import Progress
from glassworks.data.interactions.protocols import Cut
from glassworks.recommendation.evaluation import evaluate
from glassworks.recommendation.scoring import Scorer

Settings = Mapping[str, Any]
Ladder = Mapping[str, Sequence[Any]]
"""Of each setting the values to try: coarse steps, since finer differences are noise on any validation set."""
METRIC = "ndcg_at_10"
_FEW = 32
"""So many settings are tried one after the other; of more the next one is guessed (Bergstra et al. 2011)."""


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """The settings that were chosen, and sentences for people."""

    settings: Settings
    value: float
    trials: int
    note: str


@dataclass(frozen=True, kw_only=True)
class ValidationUsers:
    """Users to validate with, and how a scorer is made that learned nothing of what they look for."""

    cut: Cut
    make: Callable[[Settings], Scorer]


def tune(
    trials_on: Sequence[ValidationUsers],
    default: Settings,
    ladder: Ladder,
    *,
    trials: int,
    until: float,
    seed: int,
    errors: float = 1.0,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Tuned:
    """Try settings of the `ladder` on validation users, at most `trials` and not beyond the time `until`.

    The default stays unless another one is better by more than `errors` standard errors of the paired difference (the
    rule of Breiman et al. 1984, section 3.4.3): the fewer users, the more it takes. Raises MissingLibrary, Cancelled.
    """
    require(("optuna",), "tuning", extra="recommend")
    tried: list[tuple[Settings, NDArray[np.float64]]] = [(dict(default), _values(trials_on, default, progress))]

    def objective(trial: Any) -> float:
        settings = {**default, **{name: trial.suggest_categorical(name, list(of)) for name, of in ladder.items()}}
        if all(other != settings for other, _ in tried):
            tried.append((settings, _values(trials_on, settings, progress)))
        return float(next(values for other, values in tried if other == settings).mean())

    if trials > 1 and clock() < until:
        stop = _stop(lambda longest: len(tried) >= trials or clock() + longest > until)
        _study(ladder, seed).optimize(objective, n_trials=4 * trials, callbacks=[stop])
    return _chosen(tried, errors)


def _values(trials_on: Sequence[ValidationUsers], settings: Settings, progress: Progress | None) -> NDArray[np.float64]:
    """The metric of every validation user. Raises Cancelled between two fits."""
    found = []
    for validation in trials_on:
        (progress or Progress()).check()
        found.append(evaluate(validation.cut, validation.make(settings)).users[METRIC])
    return np.concatenate(found)


def _stop(enough: Callable[[float], bool]) -> Callable[[Any, Any], None]:
    """Called after each trial: stops the study when it is enough, by how long the longest one took."""

    def stop(study: Any, trial: Any) -> None:
        if enough(max(each.duration.total_seconds() for each in study.trials if each.duration)):
            study.stop()

    return stop


def _study(ladder: Ladder, seed: int) -> Any:
    """In memory alone; all values in turn where they are few."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if int(np.prod([len(values) for values in ladder.values()])) <= _FEW:
        sampler: Any = optuna.samplers.GridSampler({name: list(values) for name, values in ladder.items()}, seed=seed)
    else:
        sampler = optuna.samplers.TPESampler(seed=seed)
    return optuna.create_study(direction="maximize", sampler=sampler)


def _chosen(tried: Sequence[tuple[Settings, NDArray[np.float64]]], errors: float) -> Tuned:
    default, first = tried[0]
    best, values = max(
        ((settings, values) for settings, values in tried[1:] if beyond_noise(values - first, errors)),
        key=lambda each: float(each[1].mean()),
        default=tried[0],
    )
    changed = ", ".join(f"{name} {value:g}" for name, value in best.items() if value != default[name])
    said = f"{changed} in place of the default" if changed else "the default stays: nothing was better beyond noise"
    note = f"{len(tried)} settings on {len(first):,} validation users: {said} ({METRIC} {values.mean():.4f})"
    return Tuned(settings=best, value=float(values.mean()), trials=len(tried), note=note)


def beyond_noise(differences: NDArray[np.float64], errors: float = 1.0) -> bool:
    """Whether the mean of paired differences is above so many standard errors."""
    count = len(differences)
    return count > 1 and float(differences.mean()) > errors * float(differences.std(ddof=1)) / math.sqrt(count)
