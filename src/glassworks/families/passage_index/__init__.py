"""Indexes over folders of text: a question in, passages with their places out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from glassworks.config import DataConfig, Job, OptimizationConfig
from glassworks.contracts import Artifact, Dataset, Differentiable, Embedder, Family, Model, Progress, Split
from glassworks.data.text.keys import TextData
from glassworks.errors import ConfigError, Unsupported
from glassworks.families.passage_index.settings import PassageIndexConfig
from glassworks.record import Record


class PassageIndex(Family):
    """Passages by words (BM25) and, with an encoder of the registry, by meaning."""

    name: ClassVar[str] = "passage_index"
    task: ClassVar[str] = "passage-retrieval"
    config: ClassVar[type[Record]] = PassageIndexConfig
    data: ClassVar[type[DataConfig]] = TextData
    unsupported: ClassVar[Mapping[str, str]] = {
        "learn": "texts are indexed as they are, nothing is learned",
        "distill": "texts are indexed as they are, nothing is learned from a teacher",
        "gradient": "a ranking has no gradient",
    }

    def __init__(self, embedder: Embedder | None = None) -> None:
        self._embedder = embedder

    def upon(self, embedder: Embedder) -> PassageIndex:
        if embedder.task != "text-embedding":
            raise ConfigError(
                f"model.embedding: '{embedder.reference}' is for {embedder.task}, passages need text-embedding",
                "name a model of the family text_encoder",
            )
        return PassageIndex(embedder)

    def seeks(self, job: Job, dataset: Dataset) -> Sequence[str]:
        from glassworks.families.passage_index.indexing import looked_at

        settings = self.settings(job)
        return () if settings.embedding or settings.by == "words" else looked_at(dataset)

    def prepare(self, job: Job) -> Dataset:
        from glassworks.families.passage_index.indexing import prepare

        return prepare(job, self.settings(job))

    def read(self, source: str, preprocessing: Mapping[str, Any], labels: Sequence[str]) -> Split:
        from glassworks.families.passage_index.indexing import read

        return read(source, preprocessing)

    def train(self, dataset: Dataset, job: Job, folder: Path, progress: Progress) -> Model:
        """The index."""
        from glassworks.families.passage_index.indexing import index_of

        return index_of(dataset, job, self.settings(job), self._embedder, folder, progress)

    def export(self, model: Model, folder: Path) -> Artifact:
        from glassworks.retrieval.artifact import write_index

        return write_index(model.network, folder)

    def differentiable(self, model: Model) -> Differentiable:
        raise Unsupported("an index is no PyTorch network", "each passage says its score by words and by meaning")

    def base_model(self, folder: Path) -> Job:
        from glassworks.families.passage_index.synthetic import encoder_job

        return encoder_job(folder)

    def tiny(self, folder: Path) -> Job:
        from glassworks.families.passage_index.synthetic import write_folder

        write_folder(folder / "texts", seed=0)
        return Job(
            name="tiny-passage-index",
            family=self.name,
            data=TextData(source=f"texts:{folder / 'texts'}"),
            model={"embedding": "tiny-encoder", "passage_bytes": 128},
            optimization=OptimizationConfig(batch_sizes=(1, 4)),
        )
