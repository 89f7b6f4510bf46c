"""Recommendation from what items are: categories, numbers and words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from glassworks.contracts import Progress
from glassworks.families._recommendation.family import RecommenderFamily
from glassworks.families._recommendation.settings import ContentConfig
from glassworks.record import Record

if TYPE_CHECKING:
    from glassworks.data.interactions.dataset import InteractionsDataset
    from glassworks.families._recommendation.algorithms import Means
    from glassworks.families._recommendation.fitting import Fitted


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
        from glassworks.families._recommendation.hybrid import fit_content

        return fit_content(dataset, config, means, budget_s, progress, self.meaning)
