"""A classifier of texts, to be trained on the same rows, where answers are chosen among few."""

from __future__ import annotations

from glassworks.config import Job
from glassworks.contracts import Dataset, Model, Simpler
from glassworks.data.conversations.choices import choices_of
from glassworks.data.text.keys import TextData
from glassworks.families.tuned_language_model.settings import TunedLanguageModelConfig

FAMILY = "transformer_text"
_LEAST_S, _SHARE = 60.0, 0.2
"""What its training may take: so much of the time of the model's own, but never less than so many seconds."""


def simpler(job: Job, dataset: Dataset, model: Model, config: TunedLanguageModelConfig) -> Simpler | None:
    """None where the answers are not chosen among few."""
    choices = choices_of(dataset)
    if choices is None:
        return None
    kept = job.training.model_dump(include={"seed", "threads", "device"})
    beside = Job(
        name=job.name,
        family=FAMILY,
        data=TextData(source=job.data.source),
        model={"backbone": config.classifier},
        training=type(job.training)(**kept, budget=max(_LEAST_S, _SHARE * model.seconds)),
    )
    return Simpler(job=beside, dataset=choices.dataset, measure=choices.measure)
