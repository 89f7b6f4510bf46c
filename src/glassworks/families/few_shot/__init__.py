"""Pictures of classes with few examples each, by how close they lie in the embedding of a registered model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from glassworks.config import DataConfig, Job, OptimizationConfig
from glassworks.contracts import Artifact, Dataset, Differentiable, Embedder, Family, Model, Progress, Split
from glassworks.data.keys import PictureData
from glassworks.errors import ConfigError, Unsupported
from glassworks.families.few_shot.settings import FewShotConfig
from glassworks.record import Record


class FewShot(Family):
    """Nearest class in an embedding that was learned from other pictures (Snell et al. 2017, section 2)."""

    name: ClassVar[str] = "few_shot"
    task: ClassVar[str] = "image-classification"
    config: ClassVar[type[Record]] = FewShotConfig
    data: ClassVar[type[DataConfig]] = PictureData
    unsupported: ClassVar[Mapping[str, str]] = {
        "learn": "classes are compared in an embedding that is there already, so no loss falls and no seed matters",
        "distill": "few pictures are not learned from a teacher",
        "gradient": "its embedding is only run, so there is no graph of gradients",
    }
    needs: ClassVar[tuple[str, ...]] = ("onnx", "scipy")

    def __init__(self, embedder: Embedder | None = None) -> None:
        self._embedder = embedder

    @property
    def embedder(self) -> Embedder:
        """The model that it is built upon. Raises Unsupported where there is none."""
        if self._embedder is None:
            raise Unsupported("few_shot computes nothing without its embedding model", "run the job as a whole")
        return self._embedder

    def upon(self, embedder: Embedder) -> FewShot:
        if embedder.task != self.task:
            raise ConfigError(
                f"model.embedding: '{embedder.reference}' is for {embedder.task}, few_shot for {self.task}",
                "name a model of pictures, such as a convnet trained with model.embed = true",
            )
        return FewShot(embedder)

    def prepare(self, job: Job) -> Dataset:
        from glassworks.data.dataset import prepare_pictures
        from glassworks.data.reader import Reading, read_pictures

        self.settings(job)
        size = {key: int(self.embedder.preprocessing[key]) for key in ("height", "width", "channels")}
        pictures = read_pictures(job.data.source, Reading.of(job.data))
        if pictures.multi_label:
            raise Unsupported(
                f"few_shot gives one label a picture, '{pictures.source}' has several", "learn them with a convnet"
            )
        return prepare_pictures(pictures, job.data, **size)

    def read(self, source: str, preprocessing: Mapping[str, Any], labels: Sequence[str]) -> Split:
        from glassworks.data.dataset import labelled_split
        from glassworks.data.reader import Reading, read_pictures

        return labelled_split(
            read_pictures(source, Reading.of_model(preprocessing), min_classes=1), preprocessing, labels
        )

    def train(self, dataset: Dataset, job: Job, folder: Path, progress: Progress) -> Model:
        from glassworks.families.few_shot.nearest import fit_nearest

        return fit_nearest(dataset, self.settings(job), self.embedder, folder, progress)

    def export(self, model: Model, folder: Path) -> Artifact:
        from glassworks.families.few_shot.export import export

        return export(model, self.embedder, folder)

    def differentiable(self, model: Model) -> Differentiable:
        raise Unsupported("few_shot is no PyTorch network", "occlusion explains it")

    def base_model(self, folder: Path) -> Job:
        from glassworks.families.few_shot.synthetic import SHAPES, write_shapes

        write_shapes(folder / "learned.npz", SHAPES[:4], examples=240, side=16, seed=0)
        return Job(
            name="tiny-shapes",
            family="convnet",
            data=PictureData(source=f"npz:{folder / 'learned.npz'}"),
            model={"embed": True},
            optimization=OptimizationConfig(enabled=False),
        )

    def tiny(self, folder: Path) -> Job:
        from glassworks.families.few_shot.synthetic import SHAPES, write_shapes

        write_shapes(folder / "few.npz", SHAPES[4:], examples=60, side=16, seed=1)
        return Job(
            name="tiny-few-shot",
            family=self.name,
            data=PictureData(source=f"npz:{folder / 'few.npz'}", validation=0.2, test=0.4),
            model={"embedding": "tiny-shapes"},
        )
