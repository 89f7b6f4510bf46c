"""What the families of text classifiers share: their data, their task, and how they are explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from glassworks.config import DataConfig, Job, validate
from glassworks.contracts import Dataset, Family, Split
from glassworks.data.text.keys import TextData
from glassworks.errors import ConfigError


class TextFamily(Family):
    """Everything but `name`, `config`, `needs`, training and export."""

    task: ClassVar[str] = "text-classification"
    data: ClassVar[type[DataConfig]] = TextData
    unsupported: ClassVar[Mapping[str, str]] = {}

    def settings(self, job: Job) -> Any:
        """The job's `[model]` table, a record of `config`. Raises ConfigError with the key's path."""
        if job.training.recipe != "default":
            raise ConfigError(
                f"job '{job.name}': 'training.recipe' is '{job.training.recipe}'", f"recipes of {self.name}: default"
            )
        return validate(self.config, job.model, where=f"job '{job.name}'", prefix="model.")

    def prepare(self, job: Job) -> Dataset:
        from glassworks.data.text.dataset import prepare_job

        self.settings(job)
        return prepare_job(job)

    def read(self, source: str, preprocessing: Mapping[str, Any], labels: Sequence[str]) -> Split:
        from glassworks.data.text.dataset import read_split

        return read_split(source, preprocessing, labels)
