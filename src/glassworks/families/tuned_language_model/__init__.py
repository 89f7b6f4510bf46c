"""Language models that are tuned on conversations, merged, measured, compressed and served."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from glassworks.config import DataConfig, Job
from glassworks.contracts import Dataset, Model, Progress, Simpler, Split, Teacher
from glassworks.data.conversations.collection import Wanted
from glassworks.data.conversations.keys import ConversationData
from glassworks.errors import ConfigError
from glassworks.families._language.family import DecoderFamily
from glassworks.families.tuned_language_model.settings import TunedLanguageModelConfig
from glassworks.record import Record


class TunedLanguageModel(DecoderFamily):
    """A decoder that goes on learning from conversations, by low-rank matrices or in full."""

    name: ClassVar[str] = "tuned_language_model"
    config: ClassVar[type[Record]] = TunedLanguageModelConfig
    data: ClassVar[type[DataConfig]] = ConversationData
    unsupported: ClassVar[Mapping[str, str]] = {
        "gradient": "the served graph has no gradient",
    }
    needs: ClassVar[tuple[str, ...]] = (
        "gguf",
        "jinja2",
        "openvino_genai",
        "peft",
        "tokenizers",
        "torch",
        "transformers",
    )
    variants: ClassVar[tuple[str, ...]] = ("full",)

    def settings(self, job: Job) -> TunedLanguageModelConfig:
        config: TunedLanguageModelConfig = super().settings(job)
        for key in ("beta", "preferred_weight"):
            given = getattr(config, key)
            if given is not None and config.tuning != "dpo":
                raise ConfigError(
                    f"job '{job.name}': 'model.{key}' is {given}, but nothing is learned from preferences",
                    'leave it out, or set model.tuning = "dpo"',
                )
        if job.training.teacher and config.tuning == "dpo":
            raise ConfigError(
                f"job '{job.name}': 'training.teacher' is '{job.training.teacher}', but preferences need no teacher",
                'leave it out, or leave model.tuning = "dpo" out',
            )
        return config

    def taught(self, job: Job, dataset: Dataset, teacher: Teacher, progress: Progress) -> Dataset:
        from glassworks.families._language.bringing import find_model
        from glassworks.families.tuned_language_model.teaching import taught

        config = self.settings(job)
        return taught(dataset, teacher, find_model(job, config, Progress(), self.base), config, progress)

    def prepare(self, job: Job) -> Dataset:
        from glassworks.families._language.bringing import find_model, notes_of, require_weights
        from glassworks.families.tuned_language_model.conversations import Reading, prepare

        config = self.settings(job)
        wanted: Wanted = "questions" if job.training.teacher else "answers"
        wanted = "preferences" if config.tuning == "dpo" else wanted
        brought = find_model(job, config, Progress(), self.base)
        require_weights(brought)
        dataset = prepare(ConversationData.of(job), Reading.of(brought), wanted)
        return replace(dataset, findings=(*dataset.findings, *notes_of(brought)))

    def read(self, source: str, preprocessing: Mapping[str, object], labels: Sequence[str]) -> Split:
        from glassworks.families.tuned_language_model.conversations import read

        return read(source, preprocessing)

    def train(self, dataset: Dataset, job: Job, folder: Path, progress: Progress) -> Model:
        started = time.monotonic()
        from glassworks.families._language.bringing import find_model
        from glassworks.families.tuned_language_model.training import train

        config = self.settings(job)
        brought = find_model(job, config, progress, self.base)
        return train(dataset, job, brought, config, folder, progress, started)

    def simpler(self, job: Job, dataset: Dataset, model: Model) -> Simpler | None:
        from glassworks.families.tuned_language_model.simpler import simpler

        return simpler(job, dataset, model, self.settings(job))

    def tiny(self, folder: Path) -> Job:
        from glassworks.families._language.synthetic import write_conversations, write_model

        write_model(folder / "model", seed=0)
        write_conversations(folder / "chats.jsonl", examples=80, seed=0)
        return Job(
            name="tiny-tuned-language-model",
            family=self.name,
            data=ConversationData(source=f"jsonl:{folder / 'chats.jsonl'}"),
            model={"source": f"folder:{folder / 'model'}", "streams": 4, "max_tokens": 8, "rank": 4},
        )

    def variant(self, name: str, folder: Path) -> Job:
        job = self.tiny(folder)
        return job.model_copy(update={"name": f"tiny-tuned-{name}", "model": {**job.model, "method": name}})
