"""What works share that publish a version."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from glassworks.config import Job
from glassworks.contracts import Progress, Work
from glassworks.flow import Release
from glassworks.job_files import job_of
from glassworks.machine import compute_with, usable_cpus
from glassworks.record import Record
from glassworks.registry import Registry
from glassworks.registry.succession import unlike


class JobRequest(Record):
    """A job as its file has it; relative paths count from `folder`, where it is given."""

    job: dict[str, Any]
    folder: str | None = None
    fresh: bool = False
    """Forget what an interrupted run of this job left."""
    finish: bool = False
    """End training at its next step: asked of a run that is under way."""
    threads: int | None = Field(default=None, ge=1, le=1024)
    """To compute with where the job does not say; those of the machine where it first begins, if left out."""


class JobWork(Work):
    """Work of a job that publishes a version of its name."""

    request = JobRequest

    def about(self, request: JobRequest) -> str:
        """The job's name. Raises ConfigError."""
        return job(request).name

    def fixed(self, request: JobRequest) -> JobRequest:
        """With a number of threads: the weights depend on it."""
        return request if request.threads else request.model_copy(update={"threads": usable_cpus()})

    def run(self, request: JobRequest, progress: Progress) -> Mapping[str, Any]:
        """Raises what the stages raise."""
        if request.threads:
            compute_with(request.threads)
        made = self.made(job(request), progress, request.fresh)
        return result_of(made.version.reference)

    @abstractmethod
    def made(self, job: Job, progress: Progress, fresh: bool) -> Release:
        """The way of the job."""

    def published(self, request: JobRequest, model: str) -> Mapping[str, Any]:
        """The version."""
        return result_of(model)


def job(request: JobRequest) -> Job:
    """Raises ConfigError."""
    return job_of(request.job, where="the job", folder=Path(request.folder) if request.folder else None)


def result_of(model: str) -> Mapping[str, Any]:
    """A version that was published, and how good it is."""
    registry = Registry.open()
    version = registry.find(model)
    manifest = registry.manifest(version)
    return {
        "model": version.reference,
        "bundle_sha256": version.bundle_sha256,
        "metrics": {name: value.model_dump(mode="json") for name, value in manifest.metrics.items()},
        "classes": [each.model_dump(mode="json") for each in manifest.classes],
        "warnings": [*manifest.warnings, *unlike(registry, version)],
    }


class ModelWork(Work):
    """Work on a registered model."""

    def settled(self, request: Any) -> Any:
        """With the version that the model's name stands for. Raises NotFound and BundleError."""
        pinned = Registry.open().resolve(request.model).pinned(request.model)
        return request.model_copy(update={"model": pinned})

    def about(self, request: Any) -> str:
        """The model."""
        model: str = request.model
        return model
