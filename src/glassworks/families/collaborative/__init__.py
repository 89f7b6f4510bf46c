"""Recommendation from who met what: EASE, iALS, neighbors, walks and popularity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from glassworks.config import Job, validate
from glassworks.contracts import Artifact, Dataset, Differentiable, Family, Model, Progress, Record, Split
from glassworks.errors import Unsupported
from glassworks.training.recommendation.settings import CollaborativeConfig


class Collaborative(Family):
    """What people with alike histories like, by the algorithm that the size of the data allows."""

    name: ClassVar[str] = "collaborative"
    task: ClassVar[str] = "recommendation"
    config: ClassVar[type[Record]] = CollaborativeConfig
    explainers: ClassVar[tuple[str, ...]] = ("history_contributions", "counterfactual", "leave_one_out")
    unsupported: ClassVar[Mapping[str, str]] = {
        "learn": "weights are solved for at once: no loss falls from step to step, and no seed matters",
        "distill": "recommenders are not learned from a teacher",
    }
    needs: ClassVar[tuple[str, ...]] = ("polars", "scipy", "implicit", "optuna")
    extra: ClassVar[str] = "recommend"

    def prepare(self, job: Job) -> Dataset:
        from glassworks.data.interactions.dataset import prepare_job

        settings(job)
        return prepare_job(job)

    def read(self, source: str, preprocessing: Mapping[str, Any], labels: Sequence[str]) -> Split:
        from glassworks.data.interactions.dataset import read_split

        return read_split(source, preprocessing)

    def train(self, dataset: Dataset, job: Job, folder: Path, progress: Progress) -> Model:
        from glassworks.training.recommendation.fitting import fit_collaborative
        from glassworks.training.recommendation.training import train

        config = settings(job)
        return train(
            self.name,
            lambda data, means, budget_s, progress: fit_collaborative(data, config, means, budget_s, progress),
            dataset,
            job,
            folder,
            progress,
        )

    def export(self, model: Model, folder: Path) -> Artifact:
        from glassworks.training.recommendation.training import export

        return export(model, folder)

    def differentiable(self, model: Model) -> Differentiable:
        raise Unsupported("a recommender is no PyTorch network", "history_contributions says exactly what counts")

    def tiny(self, folder: Path) -> Job:
        from glassworks.data.interactions.planted import tiny_job

        return tiny_job(self.name, folder, {"regularization": 10.0})


def settings(job: Job) -> CollaborativeConfig:
    """The job's `[model]` table. Raises ConfigError with the key's path."""
    return validate(CollaborativeConfig, job.model, where=f"job '{job.name}'", prefix="model.")
