"""Recommendation from what items are: categories, numbers and words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from glassworks.contracts import Progress, Record
from glassworks.training.recommendation.family import RecommenderFamily
from glassworks.training.recommendation.settings import ContentConfig

if TYPE_CHECKING:
    from glassworks.data.interactions.dataset import InteractionsDataset
    from glassworks.training.recommendation.algorithms import Means
    from glassworks.training.recommendation.fitting import Fitted


class ContentBased(RecommenderFamily[ContentConfig]):
    """Items like those of the history, for items and users that nobody knows yet."""

    name: ClassVar[str] = "content_based"
    config: ClassVar[type[Record]] = ContentConfig
    needs: ClassVar[tuple[str, ...]] = ("polars", "scipy", "sklearn", "optuna")
    tiny_model: ClassVar[Mapping[str, Any]] = {"trials": 3}

    def fit(
        self,
        dataset: InteractionsDataset,
        config: ContentConfig,
        means: Means,
        budget_s: float | None,
        progress: Progress,
    ) -> Fitted:
        from glassworks.training.recommendation.hybrid import fit_content

        return fit_content(dataset, config, means, budget_s, progress, self.meaning)
