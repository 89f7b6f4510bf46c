"""A registered language model is tuned on files that a client of the service has sent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from glassworks import flow
from glassworks.config import Job
from glassworks.contracts import Progress
from glassworks.errors import Unsupported
from glassworks.packaging.manifest import Manifest
from glassworks.record import Record
from glassworks.registry import Registry
from glassworks.runs.works._publishing import JobRequest, JobWork

TASK = "text-generation"
_FAMILY = "tuned_language_model"
_SHA256 = r"^[0-9a-f]{64}$"


class Hyperparameters(Record):
    """Those of OpenAI's API; what is left out, the recipe decides."""

    n_epochs: int | None = Field(default=None, ge=1, le=100)
    batch_size: int | None = Field(default=None, ge=1, le=256)
    learning_rate_multiplier: float | None = Field(default=None, gt=0, le=100)
    beta: float | None = Field(default=None, gt=0, le=100)


class FineTuningRequest(JobRequest):
    """`model` is the registered model to begin with, `name` that of the tuned one; `training` and `validation` are the
    SHA-256 of what `training_file` and `validation_file` of `owner` held, which is kept for it: see `content`."""

    job: dict[str, Any] = {}
    """What follows from the rest."""
    model: str
    name: str
    method: Literal["supervised", "dpo"] = "supervised"
    training: str = Field(pattern=_SHA256)
    validation: str = Field(default="", pattern=rf"^$|{_SHA256}")
    hyperparameters: Hyperparameters = Hyperparameters()
    seed: int = Field(default=0, ge=0, lt=2**32)
    serve: bool = False
    """Whether running services of this machine load the tuned model."""
    paused: bool = False
    """Whether it was cancelled so as to go on later."""
    owner: str = ""
    training_file: str = ""
    validation_file: str = ""
    metadata: dict[str, str] | None = None


class FineTuning(JobWork):
    """Tune a registered language model, from its weights in full, on conversations that were sent as a file; the tuned
    model is merged, compressed by the search as ever, and published under a name of its own."""

    name: ClassVar[str] = "fine_tuning"
    request: ClassVar[type[JobRequest]] = FineTuningRequest

    def settled(self, request: Any) -> Any:
        """With the version that the model's name stands for, and the job that follows.

        Raises NotFound, and Unsupported for another task.
        """
        registry = Registry.open()
        version = registry.find(request.model)
        if (task := registry.manifest(version).task) != TASK:
            raise Unsupported(f"'{request.model}' is for {task}, and writes no text", "name a language model")
        pinned = request.model_copy(update={"model": version.reference})
        return pinned.model_copy(update={"job": _table(pinned)})

    def made(self, job: Job, progress: Progress, fresh: bool) -> flow.Release:
        """With the search for what to serve."""
        return flow.release(job, progress=progress, fresh=fresh)


def content(home: Path, sha256: str) -> Path:
    """Where what a model learns from is kept, as long as the model may be measured or searched again."""
    return home / "tuning" / f"{sha256}.jsonl"


def _table(request: FineTuningRequest) -> dict[str, Any]:
    """The job, with the objective of the model that it begins with."""
    registry = Registry.open()
    manifest: Manifest = registry.manifest(registry.find(request.model))
    data: dict[str, Any] = {"source": f"jsonl:{content(registry.home, request.training)}", "tolerated": 0}
    if request.validation:
        data["split"] = {"validation": f"jsonl:{content(registry.home, request.validation)}"}
    chosen = request.hyperparameters
    model = {
        "source": f"registered:{request.model}",
        "tuning": request.method,
        "learning_rate_multiplier": chosen.learning_rate_multiplier,
        "beta": chosen.beta,
    }
    training = {"epochs": chosen.n_epochs, "batch_size": chosen.batch_size, "seed": request.seed}
    return {
        "name": request.name,
        "family": _FAMILY,
        "data": data,
        "model": _said(model),
        "training": _said(training),
        "optimization": manifest.job.get("optimization", {}),
    }


def _said(table: Mapping[str, Any]) -> dict[str, Any]:
    """Without what the recipe decides."""
    return {key: value for key, value in table.items() if value is not None}
