"""Convolutional networks for pictures, gray or color, from 8 to 512 pixels a side and 2 to 10,000 classes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from glassworks.config import DataConfig, Job, TrainingConfig, validate
from glassworks.contracts import Artifact, Dataset, Differentiable, Family, Model, Progress, Split
from glassworks.data.keys import PictureData
from glassworks.locations import Location
from glassworks.record import Record


class ConvNetConfig(Record):
    """The `[model]` table of a job whose family is `convnet`."""

    size: int | None = Field(default=None, ge=8, le=512)
    """Side in pixels; left out, the pictures' own size where it is the same for all, else at most 224."""
    channels: Literal[1, 3] | None = None
    """1 for gray, 3 for color; left out, gray when all pictures are gray."""
    augment: Literal["auto", "none", "digits", "photos", "shifts"] = "auto"
    """`digits` turns, scales and shifts a little, `photos` mirrors and shifts, `shifts` only shifts."""
    novelty: float | None = Field(default=None, ge=0.5, lt=1)
    """Share of familiar pictures to take as such, like 0.95; answers then tell pictures unlike the learned ones."""
    embed: bool = False
    """Tell the embedding of each picture too, an output that other models can be built upon."""
    progressive: float | None = Field(default=None, ge=0.25, lt=1)
    """Training starts on pictures of this share of the side and ends on whole ones; left out, all are whole."""
    views: Literal["none", "auto", "mirror", "shifts"] = "none"
    """Answers are the mean over 2 (`mirror`) or 5 (`shifts`) looks; `auto`: where validation says that it helps."""
    backbone: Annotated[str | None, Location({"folder": "path", "local-dir": "path"})] = None
    """A pretrained network for the recipe `backbone`: a folder in timm's layout, or a name on the hub."""


class ConvNet(Family):
    """Image classification with a convolutional network."""

    name: ClassVar[str] = "convnet"
    task: ClassVar[str] = "image-classification"
    config: ClassVar[type[Record]] = ConvNetConfig
    data: ClassVar[type[DataConfig]] = PictureData
    unsupported: ClassVar[Mapping[str, str]] = {"distill": "pictures are not learned from a teacher"}
    needs: ClassVar[tuple[str, ...]] = ("torch",)
    variants: ClassVar[tuple[str, ...]] = ("several_labels",)

    def prepare(self, job: Job) -> Dataset:
        from glassworks.data.dataset import picture_shape, prepare_pictures
        from glassworks.data.reader import read_pictures

        config = settings(job)
        pictures = read_pictures(job.data.source)
        wanted = config.channels or (3 if config.backbone else None)
        height, width, channels = picture_shape(pictures, config.size, wanted)
        return prepare_pictures(pictures, job.data, height=height, width=width, channels=channels)

    def read(self, source: str, preprocessing: Mapping[str, Any], labels: Sequence[str]) -> Split:
        from glassworks.data.dataset import labelled_split
        from glassworks.data.reader import read_pictures

        return labelled_split(read_pictures(source, min_classes=1), preprocessing, labels)

    def train(self, dataset: Dataset, job: Job, folder: Path, progress: Progress) -> Model:
        started = time.monotonic()  # loading PyTorch is part of the stage, and of its budget
        from glassworks.families.convnet.training import train

        return train(dataset, job, settings(job), folder, progress, started)

    def export(self, model: Model, folder: Path) -> Artifact:
        from glassworks.families.convnet.export import export

        return export(model, folder)

    def differentiable(self, model: Model) -> Differentiable:
        from glassworks.families.convnet.export import differentiable

        return differentiable(model)

    def tiny(self, folder: Path) -> Job:
        from glassworks.families.convnet.synthetic import write_bars

        write_bars(folder / "bars.npz", examples=360, side=16, seed=0)
        return Job(
            name="tiny-convnet",
            family=self.name,
            data=PictureData(source=f"npz:{folder / 'bars.npz'}"),
            training=TrainingConfig(epochs=4, batch_size=32, precision="fp32"),
        )

    def variant(self, name: str, folder: Path) -> Job:
        from glassworks.families.convnet.synthetic import write_shapes

        if name not in self.variants:
            return super().variant(name, folder)
        write_shapes(folder / "shapes", examples=240, side=24, seed=0)
        return Job(
            name="tiny-labels",
            family=self.name,
            data=PictureData(source=f"folder:{folder / 'shapes'}"),
            model={"progressive": 0.5},
            training=TrainingConfig(epochs=6, batch_size=32, precision="fp32"),
        )


def settings(job: Job) -> ConvNetConfig:
    """The job's `[model]` table. Raises ConfigError with the key's path."""
    return validate(ConvNetConfig, job.model, where=f"job '{job.name}'", prefix="model.")
