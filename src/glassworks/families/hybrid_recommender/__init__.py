"""Recommendation from who met what and what items are; content counts as far as validation says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from glassworks.contracts import Progress
from glassworks.families._recommendation.family import RecommenderFamily
from glassworks.families._recommendation.settings import HybridConfig
from glassworks.record import Record

if TYPE_CHECKING:
    from glassworks.data.interactions.dataset import InteractionsDataset
    from glassworks.families._recommendation.algorithms import Means
    from glassworks.families._recommendation.fitting import Fitted


class HybridRecommender(RecommenderFamily[HybridConfig]):
    """EASE that learns from features of items too, with iALS beside it where that helps."""

    name: ClassVar[str] = "hybrid_recommender"
    config: ClassVar[type[Record]] = HybridConfig
    needs: ClassVar[tuple[str, ...]] = ("polars", "scipy", "sklearn", "implicit", "optuna")
    tiny_model: ClassVar[Mapping[str, Any]] = {"regularization": 10.0, "factorization": 0.0}

    def fit(
        self,
        dataset: InteractionsDataset,
        config: HybridConfig,
        means: Means,
        budget_s: float | None,
        progress: Progress,
    ) -> Fitted:
        from glassworks.families._recommendation.hybrid import fit_hybrid

        return fit_hybrid(dataset, config, means, budget_s, progress, self.meaning)
