"""Transformer encoders for texts: a pretrained one is tuned in full, by LoRA or frozen, or a small one trained."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from glassworks.config import Job, TrainingConfig
from glassworks.contracts import Artifact, Dataset, Differentiable, Model, Progress
from glassworks.data.text.keys import TextData
from glassworks.errors import ConfigError
from glassworks.families._text.family import TextFamily
from glassworks.families.transformer_text.settings import TransformerTextConfig
from glassworks.record import Record


class TransformerText(TextFamily):
    """Text classification with a transformer encoder."""

    name: ClassVar[str] = "transformer_text"
    config: ClassVar[type[Record]] = TransformerTextConfig
    needs: ClassVar[tuple[str, ...]] = ("torch", "tokenizers", "transformers", "sklearn")

    def settings(self, job: Job) -> TransformerTextConfig:
        config: TransformerTextConfig = super().settings(job)
        if not config.backbone and config.width % config.heads:
            raise ConfigError(
                f"job '{job.name}': 'model.heads' is {config.heads}, which does not divide the width {config.width}",
                "set model.width to a multiple of model.heads",
            )
        if not config.backbone and config.mode != "full":
            raise ConfigError(
                f"job '{job.name}': 'model.mode' is '{config.mode}', but there is no pretrained encoder",
                'name one, such as model.backbone = "folder:PATH", or leave the mode out',
            )
        if not config.backbone and config.narrow < 1:
            raise ConfigError(
                f"job '{job.name}': 'model.narrow' is {config.narrow}, but there is no pretrained encoder",
                'name one, such as model.backbone = "folder:PATH", or make model.width smaller',
            )
        return config

    def train(self, dataset: Dataset, job: Job, folder: Path, progress: Progress) -> Model:
        started = time.monotonic()  # loading PyTorch is part of the stage, and of its budget
        from glassworks.families.transformer_text.training import train

        return train(dataset, job, self.settings(job), folder, progress, started)

    def rehearse(
        self, job: Job, folder: Path, progress: Progress, export: Callable[[Model, Path], tuple[Artifact, ...]]
    ) -> None:
        config = self.settings(job)
        if config.backbone:
            from glassworks.families.transformer_text.rehearsal import rehearse

            rehearse(job, config, folder, progress, export)

    def export(self, model: Model, folder: Path) -> Artifact:
        from glassworks.families.transformer_text.export import export

        return export(model, folder)

    def differentiable(self, model: Model) -> Differentiable:
        from glassworks.families.transformer_text.export import differentiable

        return differentiable(model)

    def explanations(self, model: Model, folder: Path) -> tuple[Artifact, ...]:
        from glassworks.families.transformer_text.export import embed

        return (embed(model, folder),)

    def tiny(self, folder: Path) -> Job:
        from glassworks.data.text.synthetic import write_synthetic

        write_synthetic(folder / "planted.csv", examples=900, seed=0)
        return Job(
            name="tiny-transformer-text",
            family=self.name,
            data=TextData(source=f"csv:{folder / 'planted.csv'}"),
            model={"width": 16, "layers": 1, "heads": 2, "vocabulary": 256},
            training=TrainingConfig(epochs=4, batch_size=16, learning_rate=5e-3, precision="fp32"),
        )
