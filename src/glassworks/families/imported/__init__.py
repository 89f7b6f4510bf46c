"""Models of pictures that were trained elsewhere, in any framework that exports them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from glassworks.config import DataConfig, Job
from glassworks.contracts import Artifact, Dataset, Differentiable, Family, Model, Progress, Split
from glassworks.data.keys import PictureData
from glassworks.families.imported.settings import ImportedConfig
from glassworks.record import Record


class ImportedModel(Family):
    """Image classification by a model that was trained elsewhere: ONNX, PyTorch, Hugging Face, MLflow."""

    name: ClassVar[str] = "imported"
    task: ClassVar[str] = "image-classification"
    config: ClassVar[type[Record]] = ImportedConfig
    data: ClassVar[type[DataConfig]] = PictureData
    unsupported: ClassVar[Mapping[str, str]] = {
        "learn": "the model was trained elsewhere, so no loss falls and no seed matters",
        "distill": "the model was trained elsewhere and learns from no teacher",
        "cam": "which of its values is the last layer with places, a graph does not say",
    }
    needs: ClassVar[tuple[str, ...]] = ("onnx", "torch")

    def prepare(self, job: Job) -> Dataset:
        from glassworks.families.imported.training import prepare

        return prepare(job, self.settings(job))

    def read(self, source: str, preprocessing: Mapping[str, Any], labels: Sequence[str]) -> Split:
        from glassworks.data.dataset import labelled_split
        from glassworks.data.reader import Reading, read_pictures

        return labelled_split(
            read_pictures(source, Reading.of_model(preprocessing), min_classes=1), preprocessing, labels
        )

    def train(self, dataset: Dataset, job: Job, folder: Path, progress: Progress) -> Model:
        """What was imported, with the preprocessing that the job or its file states, or that is found."""
        from glassworks.families.imported.training import train

        return train(dataset, job, self.settings(job), folder, progress)

    def export(self, model: Model, folder: Path) -> Artifact:
        import onnx

        onnx.save(model.network, folder / "predict.onnx")
        return Artifact(role="predict", format="onnx", file="predict.onnx", made_by="export")

    def differentiable(self, model: Model) -> Differentiable:
        from glassworks.families.imported.export import differentiable

        return differentiable(model)

    def tiny(self, folder: Path) -> Job:
        from glassworks.families.imported.synthetic import write_lines, write_pictures

        write_pictures(folder / "pictures.npz", examples=240)
        write_lines(folder / "lines.onnx")
        return Job(
            name="tiny-imported",
            family=self.name,
            data=PictureData(source=f"npz:{folder / 'pictures.npz'}"),
            model={"source": f"file:{folder / 'lines.onnx'}"},
        )
