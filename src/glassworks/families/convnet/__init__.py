"""Convolutional networks for pictures, gray or color, from 8 to 512 pixels a side and 2 to 10,000 classes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from glassworks.config import DataConfig, Job, TrainingConfig
from glassworks.contracts import Artifact, Dataset, Differentiable, Family, Model, Progress, Split
from glassworks.data.keys import PictureData
from glassworks.families.convnet.settings import ConvNetConfig
from glassworks.record import Record


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
        from glassworks.data.reader import Reading, read_pictures

        config = self.settings(job)
        pictures = read_pictures(job.data.source, Reading.of(job.data))
        wanted = config.channels or (3 if config.backbone else None)
        height, width, channels = picture_shape(pictures, config.size, wanted)
        return prepare_pictures(pictures, job.data, height=height, width=width, channels=channels)

    def read(self, source: str, preprocessing: Mapping[str, Any], labels: Sequence[str]) -> Split:
        from glassworks.data.dataset import labelled_split
        from glassworks.data.reader import Reading, read_pictures

        return labelled_split(
            read_pictures(source, Reading.of_model(preprocessing), min_classes=1), preprocessing, labels
        )

    def train(self, dataset: Dataset, job: Job, folder: Path, progress: Progress) -> Model:
        started = time.monotonic()  # loading PyTorch is part of the stage, and of its budget
        from glassworks.families.convnet.training import train

        return train(dataset, job, self.settings(job), folder, progress, started)

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
