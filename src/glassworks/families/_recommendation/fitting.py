"""From a data set to a fitted scorer: planned by size, tuned by validation, fitted on all that is learned from."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from glassworks.contracts import Progress
from glassworks.data.interactions.collection import Interactions
from glassworks.data.interactions.dataset import InteractionsDataset
from glassworks.data.interactions.protocols import Cut, narrowed
from glassworks.errors import DataError
from glassworks.families._recommendation.algorithms import ALGORITHMS, Algorithm, Means, Settings
from glassworks.families._recommendation.planner import Plan, memory_of_machine, plan
from glassworks.families._recommendation.settings import CollaborativeConfig
from glassworks.families._recommendation.tuning import ValidationUsers, tune
from glassworks.recommendation.scoring import Scorer, Sparse

BUDGET_S = 30.0
_MOST_ASKED = 2000
"""Users to choose settings with."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A scorer, the settings it was fitted with, sentences on how they were chosen, and how to fit the same again."""

    scorer: Scorer
    settings: Settings
    notes: tuple[str, ...]
    again: Callable[[Interactions], Scorer]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One round of tuning: what is tried, and by how many standard errors it must be better than what was."""

    ladder: Mapping[str, tuple[Any, ...]]
    name: str
    errors: float = 1.0


Maker = Callable[[Interactions], Callable[[Settings], Scorer]]
"""From what is learned from to a function from settings to a scorer; what settings share is fitted once."""
MET: Mapping[str, tuple[Any, ...]] = {"met": (0.0, 0.25, 0.5)}
"""What was met and not liked still says something: those who rate a film 3 chose to see it."""
CLEARLY = 2.0
"""Standard errors that it takes to change what a model is made of, and not only its penalty."""


def likes_of(met: Sparse, weight: float = 0.0) -> Sparse:
    """U I of those users who like something, and `weight` for what was met and not liked."""
    found = met.copy()
    found.data = np.where(met.data > 0, met.data, np.float32(weight))
    found.eliminate_zeros()
    return found[np.flatnonzero(np.diff(found.indptr))]


def plan_for(dataset: InteractionsDataset, config: CollaborativeConfig, threads: int) -> Plan:
    """The algorithm that the job names, or the one that its size allows."""
    likes = likes_of(dataset.cut.train.met())
    memory = int(config.memory_gb * 2**30) if config.memory_gb else memory_of_machine()
    found = plan(
        likes.shape[0],
        int(np.count_nonzero(likes.sum(axis=0))),
        likes.nnz,
        memory_bytes=memory,
        cores=threads,
    )
    if config.algorithm in ("auto", found.algorithm):
        return found
    return Plan(
        algorithm=config.algorithm, form="", seconds=0.0, size_bytes=0, reason=f"{config.algorithm}, as the job says"
    )


def fit_collaborative(
    dataset: InteractionsDataset,
    config: CollaborativeConfig,
    means: Means,
    budget_s: float | None,
    progress: Progress,
) -> Fitted:
    """The planned algorithm, with the job's settings and for the rest those that validation chose."""
    progress.start("plan")
    chosen = plan_for(dataset, config, means.threads)
    progress.finish(chosen.reason)
    algorithm = ALGORITHMS[chosen.algorithm]
    require_times(dataset, algorithm, config)
    means = Means(seed=means.seed, threads=means.threads, form=chosen.form)
    given = {name: getattr(config, name, None) for name in algorithm.default}
    default = {**algorithm.default, **{name: value for name, value in given.items() if value is not None}}
    ladder = {name: values for name, values in algorithm.ladder.items() if given.get(name) is None}
    stages = [Stage(ladder=ladder, name="tune")] if ladder else []
    if chosen.algorithm == "ease":
        default["met"] = config.met or 0.0
        stages += met_stage(dataset, config)

    def maker(log: Interactions) -> Callable[[Settings], Scorer]:
        met = log.met()
        return lambda settings: algorithm.fit(log, likes_of(met, settings.get("met", 0.0)), settings, means)

    found = fit_in_stages(dataset, maker, default, tuple(stages), config, means, budget_s, chosen.seconds, progress)
    return replace(found, notes=(chosen.reason, *found.notes))


def require_times(dataset: InteractionsDataset, algorithm: Algorithm, config: CollaborativeConfig) -> None:
    """Raise DataError where the job asks for something recent of data without times."""
    asked = next((name for name in algorithm.timed if getattr(config, name, None)), None)
    if asked is not None and dataset.log.time is None:
        raise DataError(
            f"'{dataset.log.source}' has no times, which model.{asked} needs",
            f"name the column, data.time = ..., or leave model.{asked} out",
        )


def met_stage(dataset: InteractionsDataset, config: CollaborativeConfig) -> list[Stage]:
    """Where anything was met and not liked, and the job does not say what it weighs."""
    if config.met is not None or dataset.cut.train.liked.all():
        return []
    return [Stage(ladder=MET, name="met", errors=CLEARLY)]


def fit_in_stages(
    dataset: InteractionsDataset,
    maker: Maker,
    default: Settings,
    stages: tuple[Stage, ...],
    config: Any,
    means: Means,
    budget_s: float | None,
    fit_s: float,
    progress: Progress,
) -> Fitted:
    """Each stage starts from what the last one chose; without `config.tune`, or where one fit takes a third of the
    budget, the default stays."""
    budget = budget_s or BUDGET_S
    notes: list[str] = []
    settings = default
    if stages and config.tune and fit_s <= budget / 3:
        settings, notes = _tuned(dataset.tuning, maker, default, stages, config.trials, means.seed, budget, progress)
    elif stages and config.tune:
        notes.append(f"not tuned: a fit is estimated to take {fit_s:,.0f} s, the budget is {budget:,.0f} s")
    progress.start("fit")
    scorer = maker(dataset.cut.train)(settings)
    progress.finish(", ".join(f"{name} {value}" for name, value in settings.items()))
    return Fitted(scorer=scorer, settings=settings, notes=tuple(notes), again=lambda log: maker(log)(settings))


def _tuned(
    tuning: Sequence[Cut],
    maker: Maker,
    settings: Settings,
    stages: tuple[Stage, ...],
    trials: int,
    seed: int,
    budget_s: float,
    progress: Progress,
) -> tuple[Settings, list[str]]:
    notes = []
    began = time.monotonic()
    validation = [ValidationUsers(cut=_asked(cut, seed), make=maker(cut.train)) for cut in tuning]
    for number, stage in enumerate(stages, 1):
        progress.start(stage.name)
        until = began + budget_s * number / len(stages)
        tuned = tune(
            validation,
            settings,
            stage.ladder,
            trials=trials,
            until=until,
            seed=seed,
            errors=stage.errors,
            progress=progress,
        )
        settings = tuned.settings
        notes.append(f"{stage.name}: {tuned.note}")
        progress.finish(tuned.note)
    return settings, notes


def _asked(cut: Cut, seed: int) -> Cut:
    if len(cut) <= _MOST_ASKED:
        return cut
    return narrowed(cut, np.sort(np.random.default_rng(seed).choice(len(cut), _MOST_ASKED, replace=False)))
