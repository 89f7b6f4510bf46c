"""Language models as they are published: brought, measured, compressed and served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from glassworks.config import DataConfig, Job
from glassworks.contracts import Dataset, Model, Progress, Split
from glassworks.families._language.family import DecoderFamily
from glassworks.families._language.settings import LanguageModelConfig
from glassworks.families.language_model.settings import LanguageData
from glassworks.record import Record


class LanguageModel(DecoderFamily):
    """A decoder from a GGUF file or a folder, served with the weights that are in it."""

    name: ClassVar[str] = "language_model"
    config: ClassVar[type[Record]] = LanguageModelConfig
    data: ClassVar[type[DataConfig]] = LanguageData
    unsupported: ClassVar[Mapping[str, str]] = {
        "learn": "the model is taken as it is, nothing is learned",
        "distill": "the model is taken as it is, nothing is learned from a teacher",
        "gradient": "the served graph has no gradient",
    }
    needs: ClassVar[tuple[str, ...]] = ("gguf", "jinja2", "openvino_genai", "safetensors", "tokenizers")

    def prepare(self, job: Job) -> Dataset:
        from glassworks.families.language_model.texts import prepare

        self.settings(job)
        return prepare(job)

    def read(self, source: str, preprocessing: Mapping[str, object], labels: Sequence[str]) -> Split:
        from glassworks.families.language_model.texts import read

        return read(source, preprocessing)

    def train(self, dataset: Dataset, job: Job, folder: Path, progress: Progress) -> Model:
        """The model itself."""
        from glassworks.families.language_model.bringing import model_of

        return model_of(job, self.settings(job), self.base, folder, progress)

    def tiny(self, folder: Path) -> Job:
        from glassworks.families._language.synthetic import write_model, write_texts

        write_model(folder / "model", seed=0)
        write_texts(folder / "texts.csv", examples=40, seed=0)
        return Job(
            name="tiny-language-model",
            family=self.name,
            data=LanguageData(source=f"csv:{folder / 'texts.csv'}", measured_bytes=512),
            model={"source": f"folder:{folder / 'model'}", "streams": 4, "max_tokens": 8},
        )
