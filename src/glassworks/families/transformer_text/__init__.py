"""Transformer encoders for texts: a pretrained one is tuned in full, by LoRA or frozen, or a small one trained."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from glassworks.config import Job, TrainingConfig
from glassworks.contracts import Artifact, Dataset, Differentiable, Model, Progress
from glassworks.data.text.keys import TextData
from glassworks.errors import ConfigError
from glassworks.families._text.family import TextFamily
from glassworks.locations import Location
from glassworks.record import Record


class TransformerTextConfig(Record):
    """The `[model]` table of a job whose family is `transformer_text`."""

    backbone: Annotated[str, Location({"folder": "path", "hf": "path or name"})] = ""
    """A pretrained encoder: `folder:PATH`, `package:LIBRARY/FOLDER`, `hf:OWNER/NAME`; without it one is trained from
    nothing."""
    mode: Literal["full", "lora", "frozen"] = "full"
    """What of a pretrained encoder learns: all, low-rank additions to it, or only the head on it."""
    pooling: Literal["auto", "mean", "first"] = "auto"
    """How token states become one: their mean, or the first one; `auto` takes what the encoder's folder says."""
    rank: int = Field(default=16, ge=1, le=512)
    """Rank of LoRA's additions."""
    width: int = Field(default=128, ge=8, le=1024)
    """From nothing: values a token."""
    layers: int | None = Field(default=None, ge=1, le=48)
    """Of a pretrained encoder only the first so many, all when left out; from nothing: how many, 2 when left out."""
    narrow: float = Field(default=1.0, gt=0, le=1)
    """Of a pretrained encoder: the share of the hidden units of its feed-forward layers that stays; those that are
    missed least are left out before it is tuned."""
    heads: int = Field(default=4, ge=1, le=32)
    """From nothing: attention heads; they divide the width."""
    vocabulary: int = Field(default=12_000, ge=16, le=100_000)
    """From nothing: most different tokens, learned from the training texts."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of values left out while training."""
    pieces: int = Field(default=60_000, ge=0, le=1_000_000)
    """Most different pieces of texts that a linear classifier beside the encoder keeps; it stays where it
    clearly improves the log loss of validation texts. 0: none."""
    max_tokens: int = Field(default=256, ge=8, le=8192)
    """Tokens of a window, at most what the encoder reads; longer texts are read in several."""
    coverage: float = Field(default=0.9, gt=0.5, lt=1)
    """Share of texts whose label set shall hold the true label; with several labels a text nothing is promised."""


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
