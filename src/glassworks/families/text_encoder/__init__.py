"""Pretrained sentence encoders as served models: texts in, vectors out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from glassworks.config import DataConfig, Job
from glassworks.contracts import Artifact, Dataset, Differentiable, Family, Model, Progress, Split
from glassworks.data.text.keys import TextData
from glassworks.errors import Unsupported
from glassworks.families.text_encoder.settings import TextEncoderConfig
from glassworks.record import Record


class TextEncoder(Family):
    """What an encoder of Hugging Face's layout says of texts, compared with transformers itself."""

    name: ClassVar[str] = "text_encoder"
    task: ClassVar[str] = "text-embedding"
    config: ClassVar[type[Record]] = TextEncoderConfig
    data: ClassVar[type[DataConfig]] = TextData
    unsupported: ClassVar[Mapping[str, str]] = {
        "learn": "the encoder is taken as it is, nothing is learned",
        "distill": "the encoder is taken as it is, nothing is learned from a teacher",
        "gradient": "a vector has no score to follow the gradient of",
    }
    needs: ClassVar[tuple[str, ...]] = ("torch", "tokenizers", "transformers")

    def installed(self, texts: Sequence[str]) -> Job | None:
        from glassworks.families.text_encoder.packaged import job_of

        return job_of(texts)

    def prepare(self, job: Job) -> Dataset:
        from glassworks.families.text_encoder.encoding import prepare

        return prepare(job, self.settings(job))

    def read(self, source: str, preprocessing: Mapping[str, Any], labels: Sequence[str]) -> Split:
        from glassworks.families.text_encoder.encoding import read

        return read(source, preprocessing)

    def train(self, dataset: Dataset, job: Job, folder: Path, progress: Progress) -> Model:
        """The encoder itself."""
        from glassworks.families.text_encoder.encoding import model_of

        return model_of(dataset, job, self.settings(job), folder, progress)

    def export(self, model: Model, folder: Path) -> Artifact:
        from glassworks.families.text_encoder.encoding import export

        return export(model, folder)

    def differentiable(self, model: Model) -> Differentiable:
        raise Unsupported("a vector has no score to follow a gradient of", "leave_one_out explains it")

    def tiny(self, folder: Path) -> Job:
        from glassworks.families.text_encoder.synthetic import write_encoder, write_texts

        write_encoder(folder / "encoder", seed=0)
        write_texts(folder / "texts.csv", examples=60, seed=0)
        return Job(
            name="tiny-text-encoder",
            family=self.name,
            data=TextData(source=f"csv:{folder / 'texts.csv'}"),
            model={"backbone": f"folder:{folder / 'encoder'}"},
        )
