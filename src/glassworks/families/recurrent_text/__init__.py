"""Recurrent networks for short and long texts, trained from scratch, with hashed n-grams of the text beside them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import ClassVar

from glassworks.config import Job, TrainingConfig
from glassworks.contracts import Artifact, Dataset, Differentiable, Model, Progress
from glassworks.data.text.keys import TextData
from glassworks.errors import Unsupported
from glassworks.families._text.family import TextFamily
from glassworks.families.recurrent_text.settings import RecurrentTextConfig
from glassworks.record import Record


class RecurrentText(TextFamily):
    """Text classification with a GRU or LSTM."""

    name: ClassVar[str] = "recurrent_text"
    config: ClassVar[type[Record]] = RecurrentTextConfig
    needs: ClassVar[tuple[str, ...]] = ("torch", "tokenizers", "sklearn")

    def train(self, dataset: Dataset, job: Job, folder: Path, progress: Progress) -> Model:
        started = time.monotonic()  # loading PyTorch is part of the stage, and of its budget
        from glassworks.families.recurrent_text.training import train

        return train(dataset, job, self.settings(job), folder, progress, started)

    def export(self, model: Model, folder: Path) -> Artifact:
        from glassworks.families.recurrent_text.export import export

        return export(model, folder)

    def differentiable(self, model: Model) -> Differentiable:
        raise Unsupported("a recurrent layer is not traced", "its gradient is written by hand: explanations()")

    def explanations(self, model: Model, folder: Path) -> tuple[Artifact, ...]:
        from glassworks.families.recurrent_text.export import explanations

        return explanations(model, folder)

    def tiny(self, folder: Path) -> Job:
        from glassworks.data.text.synthetic import write_synthetic

        write_synthetic(folder / "planted.csv", examples=400, seed=0)
        return Job(
            name="tiny-recurrent-text",
            family=self.name,
            data=TextData(source=f"csv:{folder / 'planted.csv'}"),
            model={"width": 16, "hidden": 12, "vocabulary": 256, "dropout": 0.1},
            training=TrainingConfig(epochs=6, batch_size=16, precision="fp32"),
        )
