"""What people like and what items are, together: content counts as far as validation says, down to 0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from glassworks.contracts import Progress
from glassworks.data.interactions.collection import Interactions
from glassworks.data.interactions.dataset import InteractionsDataset
from glassworks.families._recommendation.algorithms import ALGORITHMS, IALS, Means, Settings, fit_ials
from glassworks.families._recommendation.ease import fit_dual, fit_primal
from glassworks.families._recommendation.features import Features, Meaning, item_features
from glassworks.families._recommendation.fitting import (
    CLEARLY,
    Fitted,
    Maker,
    Stage,
    fit_in_stages,
    likes_of,
    met_stage,
    plan_for,
    require_times,
)
from glassworks.families._recommendation.planner import Plan
from glassworks.families._recommendation.settings import ContentConfig, HybridConfig
from glassworks.recommendation.scoring import Scorer, Sparse
from glassworks.recommendation.scoring.blend import Blend
from glassworks.recommendation.scoring.content import Content
from glassworks.recommendation.scoring.popularity import Popularity

_STACKED = 1000
"""Most features that stand under the users of EASE: each costs as much as a user."""


def fit_hybrid(
    dataset: InteractionsDataset,
    config: HybridConfig,
    means: Means,
    budget_s: float | None,
    progress: Progress,
    meaning: Meaning | None = None,
) -> Fitted:
    """EASE learns from features as from further users; any other algorithm is blended with content.

    First the algorithm's own settings are tuned, then the part of content, then what counts beside likes, then the part
    of iALS beside EASE.
    """
    features = _features(dataset, config, progress, meaning)
    progress.start("plan")
    chosen = plan_for(dataset, config, means.threads)
    progress.finish(chosen.reason)
    maker = (_stacked if chosen.algorithm == "ease" else _blended)(features, chosen, means)
    require_times(dataset, ALGORITHMS[chosen.algorithm], config)
    default, stages = _stages(dataset, config, chosen)
    found = fit_in_stages(dataset, maker, default, stages, config, means, budget_s, chosen.seconds, progress)
    return replace(found, notes=(chosen.reason, *found.notes))


def _features(
    dataset: InteractionsDataset, config: HybridConfig | ContentConfig, progress: Progress, meaning: Meaning | None
) -> Features:
    if meaning is not None:
        progress.start("embed")
    found = item_features(dataset.log, config.words, titles=config.titles, meaning=meaning)
    if meaning is not None:
        progress.finish(f"{found.rows.shape[0]:,} items by {config.embedding}")
    return found


def _stages(
    dataset: InteractionsDataset, config: HybridConfig, chosen: Plan
) -> tuple[dict[str, Any], tuple[Stage, ...]]:
    """What the job says or else a sane value, and what is tried of the rest."""
    own = ALGORITHMS[chosen.algorithm]
    default: dict[str, Any] = {**own.default, "content": 0.0}
    stages = [Stage(ladder=own.ladder, name="tune")]
    if chosen.algorithm == "ease":
        default |= {"met": 0.0, "factorization": 0.0}
        stages.append(Stage(ladder={"content": (0.0, 0.3, 1.0, 3.0, 10.0)}, name="content"))
        stages += met_stage(dataset, config)
        # A whole further model must earn its keep: it is fitted, kept and computed beside the other one.
        parts = {"factorization": (0.0, 0.15, 0.3, 0.5)}
        stages.append(Stage(ladder=parts, name="factorization", errors=CLEARLY))
    else:
        stages.append(Stage(ladder={"content": (0.0, 0.05, 0.1, 0.2, 0.4)}, name="content"))
    given = {name: value for name in default if (value := getattr(config, name, None)) is not None}
    left = [
        replace(stage, ladder={name: values for name, values in stage.ladder.items() if name not in given})
        for stage in stages
    ]
    return default | given, tuple(stage for stage in left if stage.ladder)


def _stacked(features: Features, chosen: Plan, means: Means) -> Maker:
    from scipy.sparse import csr_array

    rows, names = _commonest(features)

    def maker(log: Interactions) -> Callable[[Settings], Scorer]:
        met = log.met()
        others: list[Scorer] = []

        def make(settings: Settings) -> Scorer:
            regularization, part = float(settings["regularization"]), float(settings["factorization"])
            likes = likes_of(met, settings["met"])
            below: Sparse | None = None
            named: tuple[str, ...] = ()
            if settings["content"]:
                below, named = csr_array(rows.T * np.sqrt(np.float32(settings["content"]))), names
            ease: Scorer = (
                fit_dual(likes, regularization, below, named)
                if chosen.form == "dual"
                else fit_primal(likes, regularization, below)
            )
            if not part:
                return ease
            if not others:
                others.append(fit_ials(likes_of(met), IALS, means))
            return Blend([(ease, 1 - part), (others[0], part)])

        return make

    return maker


def _commonest(features: Features) -> tuple[Sparse, tuple[str, ...]]:
    """At most 1,000 columns."""
    if len(features.names) <= _STACKED:
        return features.rows, features.names
    weight = np.asarray(abs(features.rows).sum(axis=0)).ravel()
    kept = np.sort(np.argsort(-weight, kind="stable")[:_STACKED])
    return features.rows[:, kept], tuple(features.names[column] for column in kept)


def _blended(features: Features, chosen: Plan, means: Means) -> Maker:
    content = Content(features.rows, features.names)

    def maker(log: Interactions) -> Callable[[Settings], Scorer]:
        likes = likes_of(log.met())
        fitted: dict[tuple[Any, ...], Scorer] = {}

        def make(settings: Settings) -> Scorer:
            key = tuple(settings[name] for name in ALGORITHMS[chosen.algorithm].default)
            if key not in fitted:
                fitted.clear()
                fitted[key] = ALGORITHMS[chosen.algorithm].fit(log, likes, settings, means)
            part = float(settings["content"])
            return Blend([(fitted[key], 1 - part), (content, part)]) if part else fitted[key]

        return make

    return maker


def fit_content(
    dataset: InteractionsDataset,
    config: ContentConfig,
    means: Means,
    budget_s: float | None,
    progress: Progress,
    meaning: Meaning | None = None,
) -> Fitted:
    """Content, with as much popularity beside it as validation says."""
    maker = _with_popularity(_features(dataset, config, progress, meaning))
    default = {"popularity": 0.0 if config.popularity is None else config.popularity}
    tried = Stage(ladder={"popularity": (0.0, 0.1, 0.3, 1.0, 3.0)}, name="popularity")
    stages = (tried,) if config.popularity is None else ()
    return fit_in_stages(dataset, maker, default, stages, config, means, budget_s, 0.0, progress)


def _with_popularity(features: Features) -> Maker:
    content = Content(features.rows, features.names)

    def maker(log: Interactions) -> Callable[[Settings], Scorer]:
        popular = Popularity(np.log1p(log.popularity()))

        def make(settings: Settings) -> Scorer:
            part = float(settings["popularity"])
            return Blend([(content, 1.0), (popular, part)]) if part else content

        return make

    return maker
