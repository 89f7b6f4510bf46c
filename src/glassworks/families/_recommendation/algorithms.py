"""Every collaborative algorithm by its name: sane values, what to try, and how it is fitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from glassworks.data.interactions.collection import Interactions
from glassworks.families._recommendation.ease import fit_dual, fit_primal
from glassworks.families._recommendation.factorization import fit_factors
from glassworks.families._recommendation.neighbors import fit_item_neighbors, fit_user_neighbors, fit_walk
from glassworks.recommendation.baselines import popular
from glassworks.recommendation.scoring import Scorer, Sparse

Settings = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Means:
    """What fits may use: the seed, threads, and the form of EASE."""

    seed: int
    threads: int
    form: str = ""


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """`default` are sane values, `ladder` what tuning tries; `fit` takes interactions and the likes (U I) of them."""

    default: Settings
    ladder: Mapping[str, tuple[Any, ...]]
    fit: Callable[[Interactions, Sparse, Settings, Means], Scorer]
    timed: Sequence[str] = ()
    """Settings that mean something only where there are times."""


def fit_ease(likes: Sparse, settings: Settings, means: Means) -> Scorer:
    """In the smaller form where none is asked for."""
    form = means.form or ("dual" if likes.shape[0] <= np.count_nonzero(likes.sum(axis=0)) else "primal")
    return (fit_dual if form == "dual" else fit_primal)(likes, float(settings["regularization"]))


def _popularity(log: Interactions, likes: Sparse, settings: Settings, means: Means) -> Scorer:
    return popular(log, float(settings["days"]) or None)


def _of_likes(fit: Callable[[Sparse, Settings, Means], Scorer]) -> Callable[..., Scorer]:
    """What need not know when things happened."""
    return lambda log, likes, settings, means: fit(likes, settings, means)


def _item_neighbors(likes: Sparse, settings: Settings, means: Means) -> Scorer:
    return fit_item_neighbors(likes, int(settings["neighbors"]), float(settings["shrinkage"]))


def _user_neighbors(likes: Sparse, settings: Settings, means: Means) -> Scorer:
    return fit_user_neighbors(likes, int(settings["neighbors"]), float(settings["shrinkage"]), bool(settings["rare"]))


def _walk(likes: Sparse, settings: Settings, means: Means) -> Scorer:
    return fit_walk(likes, float(settings["alpha"]), float(settings["beta"]), int(settings["neighbors"]))


def fit_ials(likes: Sparse, settings: Settings, means: Means) -> Scorer:
    """Through the library implicit."""
    return fit_factors(
        likes,
        factors=min(int(settings["factors"]), max(1, min(likes.shape) - 1)),
        alpha=float(settings["alpha"]),
        regularization=float(settings["regularization"]),
        iterations=int(settings["iterations"]),
        seed=means.seed,
        threads=means.threads,
    )


IALS: Settings = MappingProxyType({"factors": 100, "alpha": 1.0, "regularization": 0.01, "iterations": 15})
ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType(
    {
        "popularity": Algorithm(
            default={"days": 0.0},
            ladder={"days": (0.0, 30.0, 90.0, 365.0)},
            fit=_popularity,
            timed=("days",),
        ),
        "item_knn": Algorithm(
            default={"neighbors": 20, "shrinkage": 0.0},
            ladder={"neighbors": (20, 100, 400), "shrinkage": (0.0, 20.0)},
            fit=_of_likes(_item_neighbors),
        ),
        "user_knn": Algorithm(
            default={"neighbors": 50, "shrinkage": 0.0, "rare": False},
            ladder={"neighbors": (20, 50, 100, 200), "shrinkage": (0.0, 10.0), "rare": (False, True)},
            fit=_of_likes(_user_neighbors),
        ),
        "rp3beta": Algorithm(
            default={"alpha": 1.0, "beta": 0.2, "neighbors": 200},
            ladder={"alpha": (0.6, 0.8, 1.0, 1.2), "beta": (0.0, 0.2, 0.4, 0.6)},
            fit=_of_likes(_walk),
        ),
        "ease": Algorithm(
            default={"regularization": 200.0},
            ladder={"regularization": (25.0, 50.0, 100.0, 200.0, 400.0, 800.0)},
            fit=_of_likes(fit_ease),
        ),
        "ials": Algorithm(
            default=IALS,
            ladder={"factors": (32, 64, 100), "regularization": (0.01, 1.0, 10.0), "alpha": (1.0, 10.0)},
            fit=_of_likes(fit_ials),
        ),
    }
)
