"""The train stage of every family of recommenders: fit, measure beside popularity and the textbook, and write."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glassworks.config import Job
from glassworks.contracts import Artifact, Dataset, Measurement, Model, Progress
from glassworks.data.interactions.collection import Interactions
from glassworks.data.interactions.dataset import InteractionsDataset, columns_of
from glassworks.data.interactions.protocols import Cut
from glassworks.errors import DataError
from glassworks.families._recommendation.algorithms import Means
from glassworks.families._recommendation.fitting import Fitted
from glassworks.recommendation.artifact import write_arrays
from glassworks.recommendation.baselines import baselines
from glassworks.recommendation.evaluation import Ranked, difference, evaluate, evaluate_scores, measured
from glassworks.recommendation.metrics import mean_measured
from glassworks.recommendation.profiles import Profiles
from glassworks.recommendation.scoring import Scorer
from glassworks.recommendation.session import SIGNATURE
from glassworks.training.plan import usable_cpus

Fit = Callable[[InteractionsDataset, Means, float | None, Progress], Fitted]
MODEL, FEATURES = "model", "user features"


@dataclass(frozen=True, kw_only=True)
class Recommender:
    """What is written: the scorer, the log with everybody's history, and the popularity of what was learned from."""

    scorer: Scorer
    log: Interactions
    popularity: NDArray[np.float32]
    again: Callable[[Interactions], Scorer]
    """Fits the same to others."""


def train(family: str, fit: Fit, dataset: Dataset, job: Job, folder: Path, progress: Progress) -> Model:
    """Raises DataError for a data set of another kind."""
    if not isinstance(dataset, InteractionsDataset):
        raise DataError(f"'{dataset.name}' holds no interactions", "give who met what, such as csv:PATH")
    started = time.monotonic()
    means = Means(seed=job.training.seed, threads=job.training.threads or usable_cpus())
    fitted = fit(dataset, means, job.training.budget, progress)
    popularity = dataset.cut.train.popularity()
    progress.start("compare")
    validation = evaluate(dataset.validation, fitted.scorer, popularity)
    table = compare(dataset.cut, fitted.scorer, popularity)
    progress.finish(_sentence(table))
    return Model(
        family=family,
        network=Recommender(scorer=fitted.scorer, log=dataset.log, popularity=popularity, again=fitted.again),
        signature=SIGNATURE,
        preprocessing={
            "columns": columns_of(job),
            "protocol": dataset.protocol,
            "settings": dict(fitted.settings),
            "notes": list(fitted.notes),
            **_user_features(dataset.log),
        },
        weights_sha256=digest(fitted.scorer),
        metrics={name: mean_measured(values) for name, values in validation.users.items()},
        run=folder.name,
        resumed=False,
        seconds=time.monotonic() - started,
        comparison=table,
    )


def _user_features(log: Interactions) -> dict[str, list[str]]:
    """By what a request may describe a user, where users are described."""
    described = log.people is not None and not log.people.is_empty()
    return {"user_features": [*log.user_columns.categories, *log.user_columns.numbers]} if described else {}


def refit(model: Model, progress: Progress) -> Model:
    """The chosen settings on all interactions: those that were to be found are the newest, and people go on there."""
    made: Recommender = model.network
    progress.start("refit")
    whole = replace(made, scorer=made.again(made.log), popularity=made.log.popularity())
    progress.finish(f"on all {len(made.log):,} interactions; the metrics are those from before")
    return replace(model, network=whole, weights_sha256=digest(whole.scorer))


def compare(
    cut: Cut, scorer: Scorer, popularity: NDArray[np.float32] | None = None
) -> dict[str, dict[str, Measurement]]:
    """Every metric of `popularity`, `textbook` and `model` on a cut; paired differences of NDCG."""
    ranked = {**baselines(cut), **_by_features(cut), MODEL: evaluate(cut, scorer, popularity)}
    table = {name: measured(each, cut) for name, each in ranked.items()}
    for name in ("popularity", "textbook"):
        table[f"{MODEL} - {name}"] = {"ndcg_at_10": difference(ranked[MODEL], ranked[name])}
    if FEATURES in ranked:
        table[f"{FEATURES} - popularity"] = {"ndcg_at_10": difference(ranked[FEATURES], ranked["popularity"])}
    return table


def _by_features(cut: Cut) -> dict[str, Ranked]:
    """What the test users would get by their features alone, as somebody does of whom nothing else is known."""
    profiles = Profiles.fit(cut.train)
    if profiles is None or cut.train.people is None:
        return {}
    people = {row["id"]: row for row in cut.train.people.iter_rows(named=True)}
    known = (people.get(user, {}) for user in cut.train.users.gather(cut.users).to_list())
    features = [profiles.indices({k: v for k, v in row.items() if k != "id"})[0] for row in known]
    return {FEATURES: evaluate_scores(cut, lambda part: np.stack([profiles.scores(each) for each in features[part]]))}


def export(model: Model, folder: Path) -> Artifact:
    """Write the arrays."""
    made: Recommender = model.network
    return write_arrays(made.scorer, made.log, folder, made.popularity)


def digest(scorer: Scorer) -> str:
    """Of every number of the scorer."""
    whole = hashlib.sha256(json.dumps([scorer.name, dict(scorer.parameters)], sort_keys=True).encode())
    for name, values in sorted(scorer.arrays().items()):
        whole.update(name.encode())
        whole.update(np.ascontiguousarray(values).tobytes())
    return whole.hexdigest()


def _sentence(table: Mapping[str, Mapping[str, Measurement]]) -> str:
    """Names a winner only where the interval of the difference leaves out 0."""
    own, other = (table[name]["ndcg_at_10"].value for name in (MODEL, "textbook"))
    low, high = table[f"{MODEL} - textbook"]["ndcg_at_10"].interval
    said = "better" if low > 0 else "worse" if high < 0 else "not told apart"
    return f"ndcg_at_10 {own:.4f}, textbook {other:.4f}: {said} on the test users"
