"""Decisions by what mistakes cost: chosen on the validation split, before the search for what to serve."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from glassworks.config import Job
from glassworks.contracts import DECISION, Dataset, Model, Opened, Task
from glassworks.optimization.measure import predict_all
from glassworks.optimization.search import first_runtime
from glassworks.runtimes import open_session


def require_costs(task: Task, dataset: Dataset, job: Job) -> None:
    """Raise ConfigError or Unsupported, before anything is trained, for costs of classes that are not there."""
    if job.decision.costs:
        targets = dataset.splits["validation"].y[:0]
        task.decide(np.zeros((0, len(dataset.classes))), targets, job.decision.costs, dataset.classes)


def deciding(task: Task, exported: Opened, dataset: Dataset, model: Model, job: Job) -> Model:
    """The model with a decision by the job's costs, chosen on the validation split; without costs as it is."""
    if not job.decision.costs:
        return model
    validation, opened = dataset.splits["validation"], replace(exported, artifact=first_runtime(exported.artifact, 1))
    session = open_session(task, opened, model.preprocessing, limited=False)
    probabilities = predict_all(session, task.encode(validation.x, model.preprocessing))
    session.close()
    decision = task.decide(probabilities, validation.y, job.decision.costs, dataset.classes)
    preprocessing = {**model.preprocessing, DECISION: decision}
    return replace(model, preprocessing=preprocessing, signature=model.signature.also(DECISION))
