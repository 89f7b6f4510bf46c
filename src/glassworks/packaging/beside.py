"""The simpler model of another family that is trained on the same rows, and measured beside the one to be packaged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from glassworks.catalog import get, require
from glassworks.config import Job
from glassworks.contracts import Dataset, Family, Model, Opened, Progress, Task
from glassworks.errors import MissingLibrary
from glassworks.optimization.measure import predict_all
from glassworks.optimization.search import first_runtime
from glassworks.runtimes import open_session


def measured_beside(
    family: Family, job: Job, dataset: Dataset, model: Model, folder: Path, progress: Progress
) -> Model:
    """The model with the metrics of a simpler one on the test split, by the name of its family, in `comparison`; as it
    is where the family names none, or where a library is missing that only this comparison needs. What `folder` holds
    of an interrupted training is gone on with.
    """
    simpler = family.simpler(job, dataset, model)
    if simpler is None:
        return model
    other = get(Family, simpler.job.family)
    task = get(Task, other.task)
    progress.start("beside")
    try:
        require(other.needs, other.name)
    except MissingLibrary as error:
        progress.finish(f"not compared: {error}")
        return model
    folder.mkdir(parents=True, exist_ok=True)
    trained = other.train(simpler.dataset, simpler.job, folder, _Within(progress))
    exported = first_runtime(other.export(trained, folder), job.optimization.threads)
    session = open_session(task, Opened(artifact=exported, folder=folder), trained.preprocessing, limited=False)
    tensors = task.encode(simpler.dataset.splits["test"].x, trained.preprocessing)
    found = simpler.measure(predict_all(session, tensors, "", progress=progress))
    session.close()
    said = ", ".join(f"{name.replace('_', ' ')} {value.value:.4f}" for name, value in found.items())
    progress.finish(f"{other.name} on the same rows: {said} on the test split, in {trained.seconds:.0f} s")
    return replace(model, comparison={**model.comparison, other.name: found})


class _Within(Progress):
    """Shows nothing of a training inside another stage, and ends when that is cancelled."""

    def __init__(self, outer: Progress) -> None:
        self._outer = outer

    @property
    def cancelled(self) -> bool:
        return self._outer.cancelled
