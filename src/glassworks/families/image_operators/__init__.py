"""Classical image operators: a pipeline that the job declares, and that nothing is learned for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from glassworks.config import DataConfig, Job, OptimizationConfig, validate
from glassworks.contracts import Artifact, Dataset, Differentiable, Family, Model, Progress, Split
from glassworks.data.keys import PictureData
from glassworks.errors import Unsupported
from glassworks.imaging.operator import Kind
from glassworks.imaging.pipeline import AnyOperator, Pipeline, connect, signature_of
from glassworks.record import Record

if TYPE_CHECKING:
    from glassworks.imaging.samples import Samples

_FILE = "pipeline.json"


class ImageOperatorsConfig(Record):
    """The `[model]` table of a job whose family is `image_operators`."""

    pipeline: tuple[AnyOperator, ...] = Field(min_length=1)
    """Operators, each a table `[[model.pipeline]]` with its `operator` and its own keys."""
    channels: Literal[1, 3] | None = None
    """1 for gray, 3 for color; left out, gray when all pictures of the source are gray."""
    depth: Literal["uint8", "uint16"] = "uint8"
    """Bits of a channel of what is sent."""


class ImageOperators(Family):
    """Graphs of standard operators, equal to OpenCV: edges, blurs, thresholds, morphology, geometry."""

    name: ClassVar[str] = "image_operators"
    task: ClassVar[str] = "image-to-image"
    config: ClassVar[type[Record]] = ImageOperatorsConfig
    data: ClassVar[type[DataConfig]] = PictureData
    unsupported: ClassVar[Mapping[str, str]] = {
        "learn": "classical operators are declared, nothing is learned",
        "distill": "classical operators are declared, nothing is learned from a teacher",
    }
    needs: ClassVar[tuple[str, ...]] = ("cv2",)
    extra: ClassVar[str] = "video"

    def prepare(self, job: Job) -> Dataset:
        config = settings(job)
        samples, pipeline = _samples(job, config)
        split = _split(pipeline, samples)
        return Dataset(
            name=job.data.source,
            fingerprint=samples.fingerprint,
            classes=(),
            splits={"train": split, "validation": split, "test": split},
            findings=samples.findings,
        )

    def read(self, source: str, preprocessing: Mapping[str, Any], labels: Sequence[str]) -> Split:
        from glassworks.imaging.pipeline import from_json
        from glassworks.imaging.samples import read_samples

        pipeline = from_json(str(preprocessing["pipeline"]).encode(), "the bundle")
        return _split(pipeline, read_samples(source, preprocessing["channels"], preprocessing["depth"]))

    def train(self, dataset: Dataset, job: Job, folder: Path, progress: Progress) -> Model:
        """Itself: what the job declares."""
        import hashlib

        from glassworks.catalog import get
        from glassworks.contracts import Task

        progress.start("train")
        shape = dataset.splits["train"].x.shape[1:]
        config = settings(job)
        pipeline = connect(config.pipeline, Kind(config.depth, shape[2]))
        written, wanted = pipeline.to_json(), dataset.splits["validation"].y
        progress.finish("nothing to learn: the pipeline is the model")
        return Model(
            family=self.name,
            network=pipeline,
            signature=signature_of(pipeline),
            preprocessing={
                "channels": shape[2],
                "depth": config.depth,
                "usual_shape": list(shape),
                "pipeline": written.decode(),
            },
            weights_sha256=hashlib.sha256(written).hexdigest(),
            metrics=get(Task, self.task).measure(wanted, wanted),
            run=folder.name,
            resumed=False,
            seconds=0.0,
        )

    def export(self, model: Model, folder: Path) -> Artifact:
        (folder / _FILE).write_bytes(model.network.to_json())
        return Artifact(role="predict", format="operators", file=_FILE, made_by="export")

    def explanations(self, model: Model, folder: Path) -> tuple[Artifact, ...]:
        """The same file: each operator knows its own gradient."""
        return (Artifact(role="gradient", format="operators", file=_FILE, runtime="opencv", made_by="export"),)

    def differentiable(self, model: Model) -> Differentiable:
        raise Unsupported("a pipeline of operators is no PyTorch network", "its 'gradient' artifact takes gradients")

    def tiny(self, folder: Path) -> Job:
        from glassworks.families.image_operators.synthetic import write_squares

        write_squares(folder / "pictures", pictures=3, seed=0)
        gray = {"operator": "grayscale", "name": "gray"}
        across = {"operator": "sobel", "direction": "x", "kernel": 5, "name": "gx"}
        down = {"operator": "sobel", "direction": "y", "kernel": 5, "inputs": ["gray"], "name": "gy"}
        length = {"operator": "magnitude", "inputs": ["gx", "gy"]}
        edge = {"operator": "threshold", "value": 100}
        return Job(
            name="tiny-operators",
            family=self.name,
            data=PictureData(source=f"folder:{folder / 'pictures'}"),
            model={"pipeline": [gray, across, down, length, edge]},
            optimization=OptimizationConfig(batch_sizes=(1,)),
        )


def settings(job: Job) -> ImageOperatorsConfig:
    """The job's `[model]` table. Raises ConfigError with the key's path."""
    return validate(ImageOperatorsConfig, job.model, where=f"job '{job.name}'", prefix="model.")


def _samples(job: Job, config: ImageOperatorsConfig) -> tuple[Samples, Pipeline]:
    """The pipeline is looked at first where that is possible: it is cheaper than reading pictures."""
    from glassworks.imaging.samples import read_samples

    if config.channels is not None:
        connect(config.pipeline, Kind(config.depth, config.channels))
    samples = read_samples(job.data.source, config.channels, config.depth)
    return samples, connect(config.pipeline, Kind(config.depth, samples.x.shape[3]))


def _split(pipeline: Pipeline, samples: Samples) -> Split:
    """Pictures with what OpenCV makes of each as a whole, step by step: what engines are compared with."""
    import numpy as np

    from glassworks.imaging.execution import reference

    return Split(x=samples.x, y=np.stack([reference(pipeline, picture) for picture in samples.x]))
