"""What all families of recommenders share; a family says how it fits, and which `[model]` table it reads."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from glassworks.config import DataConfig, Job, validate
from glassworks.contracts import Artifact, Dataset, Differentiable, Embedder, Family, Model, Progress, Split
from glassworks.data.interactions.keys import InteractionData
from glassworks.errors import ConfigError, Unsupported
from glassworks.record import Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from glassworks.data.interactions.dataset import InteractionsDataset
    from glassworks.families._recommendation.algorithms import Means
    from glassworks.families._recommendation.features import Meaning
    from glassworks.families._recommendation.fitting import Fitted

C = TypeVar("C", bound=Record)


class RecommenderFamily(Family, Generic[C]):
    """Everything but `fit`, `name`, `config`, `needs` and the settings of a tiny job."""

    task: ClassVar[str] = "recommendation"
    data: ClassVar[type[DataConfig]] = InteractionData
    unsupported: ClassVar[Mapping[str, str]] = {
        "learn": "weights are solved for at once: no loss falls from step to step, and no seed matters",
        "distill": "recommenders are not learned from a teacher",
        "gradient": "what each item of a history contributes is known exactly, so no gradient is needed",
    }
    extra: ClassVar[str] = "recommend"
    tiny_model: ClassVar[Mapping[str, Any]]
    """The `[model]` table of the tiny job."""

    def __init__(self, embedder: Embedder | None = None) -> None:
        self._embedder = embedder

    def upon(self, embedder: Embedder) -> Self:
        if embedder.task != "text-embedding":
            raise ConfigError(
                f"model.embedding: '{embedder.reference}' is for {embedder.task}, descriptions need text-embedding",
                "name a model of the family text_encoder",
            )
        return type(self)(embedder)

    @property
    def meaning(self) -> Meaning | None:
        """From descriptions to vectors, where the job names a model that does it."""
        embedder = self._embedder
        return None if embedder is None else lambda texts: embedder.embed(_objects(texts))

    @abstractmethod
    def fit(
        self, dataset: InteractionsDataset, config: C, means: Means, budget_s: float | None, progress: Progress
    ) -> Fitted:
        """The scorer for what people do, with settings chosen within the budget."""

    def settings(self, job: Job) -> Any:
        """The job's `[model]` table, a record of `config`. Raises ConfigError with the key's path."""
        return validate(self.config, job.model, where=f"job '{job.name}'", prefix="model.")

    def prepare(self, job: Job) -> Dataset:
        from glassworks.data.interactions.dataset import prepare_job

        self.settings(job)
        return prepare_job(job)

    def read(self, source: str, preprocessing: Mapping[str, Any], labels: Sequence[str]) -> Split:
        from glassworks.data.interactions.dataset import read_split

        return read_split(source, preprocessing)

    def train(self, dataset: Dataset, job: Job, folder: Path, progress: Progress) -> Model:
        from glassworks.families._recommendation.training import train

        config: C = self.settings(job)
        return train(self.name, lambda *given: self.fit(given[0], config, *given[1:]), dataset, job, folder, progress)

    def refit(self, model: Model, dataset: Dataset, job: Job, progress: Progress) -> Model | None:
        from glassworks.families._recommendation.training import refit

        return refit(model, progress) if self.settings(job).refit else None

    def export(self, model: Model, folder: Path) -> Artifact:
        from glassworks.families._recommendation.training import export

        return export(model, folder)

    def differentiable(self, model: Model) -> Differentiable:
        raise Unsupported("a recommender is no PyTorch network", "history_contributions says exactly what counts")

    def tiny(self, folder: Path) -> Job:
        from glassworks.data.interactions.synthetic import tiny_job

        # As it was measured, so that what is served can be compared with that.
        return tiny_job(self.name, folder, {**self.tiny_model, "refit": False})


def _objects(texts: Sequence[str]) -> NDArray[np.object_]:
    import numpy as np

    found = np.empty(len(texts), object)
    found[:] = texts
    return found
