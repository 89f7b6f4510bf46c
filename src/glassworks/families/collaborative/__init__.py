"""Recommendation from who met what: EASE, iALS, neighbors, walks and popularity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from glassworks.contracts import Progress
from glassworks.families._recommendation.family import RecommenderFamily
from glassworks.families._recommendation.settings import CollaborativeConfig
from glassworks.record import Record

if TYPE_CHECKING:
    from glassworks.data.interactions.dataset import InteractionsDataset
    from glassworks.families._recommendation.algorithms import Means
    from glassworks.families._recommendation.fitting import Fitted


class Collaborative(RecommenderFamily[CollaborativeConfig]):
    """What people with alike histories like, by the algorithm that the size of the data allows."""

    name: ClassVar[str] = "collaborative"
    config: ClassVar[type[Record]] = CollaborativeConfig
    needs: ClassVar[tuple[str, ...]] = ("polars", "scipy", "implicit", "optuna")
    tiny_model: ClassVar[Mapping[str, Any]] = {"regularization": 10.0}

    def fit(
        self,
        dataset: InteractionsDataset,
        config: CollaborativeConfig,
        means: Means,
        budget_s: float | None,
        progress: Progress,
    ) -> Fitted:
        from glassworks.families._recommendation.fitting import fit_collaborative

        return fit_collaborative(dataset, config, means, budget_s, progress)
