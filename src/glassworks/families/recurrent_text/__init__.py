"""Recurrent networks for short and long texts, trained from nothing, with hashed pieces of the text beside them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from glassworks.config import Job, TrainingConfig
from glassworks.contracts import Artifact, Dataset, Differentiable, Model, Progress
from glassworks.data.text.keys import TextData
from glassworks.errors import Unsupported
from glassworks.families._text.family import TextFamily
from glassworks.locations import Location
from glassworks.record import Record


class RecurrentTextConfig(Record):
    """The `[model]` table of a job whose family is `recurrent_text`."""

    cell: Literal["gru", "lstm"] = "gru"
    """In int8 an `lstm` is faster than in fp32, but answers then depend a little on what else is in the call; an int8
    `gru` answers alike in any company, and is slower than fp32 for one text at a time."""
    tokens: Literal["words", "subwords", "characters"] = "words"
    """What the network reads, learned from the training texts; `subwords` for languages that compound words."""
    vocabulary: int = Field(default=12_000, ge=16, le=100_000)
    """Most different tokens."""
    width: int = Field(default=128, ge=4, le=1024)
    """Values a token, learned from the job's own texts."""
    vectors: Annotated[str, Location({"file": "path"})] = ""
    """Vectors of words to begin with beside those, in word2vec's binary form: `file:PATH`, `package:LIBRARY/FILE`."""
    hidden: int = Field(default=96, ge=4, le=1024)
    """Values a direction of the recurrent layer."""
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Share of values left out while training; large, for few texts."""
    pieces: int = Field(default=60_000, ge=1, le=1_000_000)
    """Most different pieces of texts that the linear classifier beside the network keeps."""
    max_tokens: int = Field(default=256, ge=8, le=4096)
    """Tokens of a window; longer texts are read in several."""
    windows: int = Field(default=64, ge=1, le=64)
    """Most windows of a text that are read, half of them from its end: a bound on the time that a long text takes."""
    coverage: float = Field(default=0.9, gt=0.5, lt=1)
    """Share of texts whose label set shall hold the true label; with several labels a text nothing is promised."""


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
