"""A run that tunes a model, in the shapes that OpenAI's clients read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from glassworks.runs import Event, Run
from glassworks.runs.store import TRAINING
from glassworks.runs.works.fine_tuning import FineTuningRequest, Hyperparameters, content

PREFIX = "ftjob-"
_DATA = "data"
_AUTO = "auto"
_ORGANIZATION = "glassworks"
_NAMES = {"loss": "train_loss", "validation_loss": "valid_loss", "token_accuracy": "valid_mean_token_accuracy"}
"""Values of a training, and what they are called in metrics."""
_STATES = {
    "queued": "The job waits for a worker",
    "running": "The job has begun",
    "interrupted": "The job was interrupted, and goes on with the next worker",
    "succeeded": "The job has succeeded",
    "failed": "The job has failed",
    "cancelled": "The job was ended",
}


def status_of(run: Run, served: bool) -> str:
    """What a client is told: a job succeeds once its model is `served`."""
    stopped = "paused" if run.request.get("paused") else "cancelled"
    if run.state == "cancelled" or (run.state == "running" and run.cancelling):
        return stopped
    if run.state == "running":
        return "validating_files" if run.stage in ("", _DATA) else "running"
    return {"interrupted": "queued", "succeeded": "succeeded" if served else "running"}.get(run.state, run.state)


def job_of(run: Run, served: bool, home: Path, now: float) -> dict[str, Any]:
    """The job; `home` is what no client reads of."""
    asked, status = FineTuningRequest.model_validate(run.request), status_of(run, served)
    ended, result = status in ("succeeded", "failed", "cancelled"), run.result if served else {}
    left = run.values.get("left_s") if run.state == "running" and run.stage == TRAINING else None
    chosen = _chosen(asked.hyperparameters, asked.method)
    return {
        "id": PREFIX + run.id,
        "object": "fine_tuning.job",
        "created_at": int(run.created_at),
        "error": _error(run, asked, home) if status == "failed" else None,
        "fine_tuned_model": asked.name if status == "succeeded" else None,
        "finished_at": int(run.ended_at) if ended and run.ended_at else None,
        "hyperparameters": {name: value for name, value in chosen.items() if name != "beta"},
        "model": asked.model,
        "organization_id": _ORGANIZATION,
        "result_files": result.get("result_files", []),
        "seed": asked.seed,
        "status": status,
        "trained_tokens": result.get("trained_tokens"),
        "training_file": asked.training_file,
        "validation_file": asked.validation_file or None,
        "estimated_finish": None if left is None else int(now + left),
        "integrations": [],
        "metadata": asked.metadata,
        "method": {"type": asked.method, asked.method: {"hyperparameters": chosen}},
    }


def _chosen(chosen: Hyperparameters, method: str) -> dict[str, Any]:
    names = [name for name in Hyperparameters.model_fields if name != "beta" or method == "dpo"]
    return {name: _AUTO if getattr(chosen, name) is None else getattr(chosen, name) for name in names}


def _error(run: Run, asked: FineTuningRequest, home: Path) -> dict[str, Any]:
    """What is wrong: with a file, by its lines, or with the training."""
    said = f"{run.error.problem}; {run.error.mend}" if run.error else ""
    if run.stage != _DATA or not ("conversation" in said or str(content(home, asked.training)) in said):
        return {"code": "training_failed", "message": _public(said, asked, home), "param": None}
    of_validation = "the validation part" in said or "validation: line" in said
    name = "validation_file" if asked.validation_file and of_validation else "training_file"
    return {"code": f"invalid_{name}", "message": _public(said, asked, home), "param": name}


def _public(text: str, asked: FineTuningRequest, home: Path) -> str:
    """Without the paths of this machine."""
    for sha256, file in ((asked.training, asked.training_file), (asked.validation, asked.validation_file)):
        if sha256:
            text = text.replace(f"jsonl:{content(home, sha256)}", file).replace(str(content(home, sha256)), file)
    return text.replace(str(home), "GLASSWORKS_HOME")


def event_of(event: Event, run: Run, home: Path) -> dict[str, Any]:
    """Something that happened: a message, or metrics."""
    data, level, kind = dict(event.data), "info", "message"
    if event.kind == "values":
        data, kind = metrics_of(data), "metrics"
        message = f"Step {data.get('step', 0):g}: " + ", ".join(f"{k}={v:.4g}" for k, v in data.items() if k != "step")
    elif event.kind == "state":
        state = str(data.get("state"))
        level = {"failed": "error", "interrupted": "warn"}.get(state, "info")
        error = f": {run.error.problem}" if state == "failed" and run.error else ""
        message, data = f"{_STATES.get(state, state)}{error}", {}
    else:
        message, data = ": ".join(str(each) for each in (data.get("stage"), data.get("message")) if each), {}
    return {
        "id": f"ftevent-{event.number}",
        "object": "fine_tuning.job.event",
        "created_at": int(event.at),
        "level": level,
        "message": _public(message, FineTuningRequest.model_validate(run.request), home),
        "type": kind,
        "data": data,
    }


def is_shown(event: Event) -> bool:
    """Of values only those of the training: others are of candidates and samples."""
    return event.kind != "values" or (event.data.get("stage") == TRAINING and "loss" in event.data)


def metrics_of(values: Mapping[str, Any]) -> dict[str, float]:
    """Values of a step as metrics."""
    named = {"step": values.get("step"), **{name: values.get(of) for of, name in _NAMES.items()}}
    return {name: float(value) for name, value in named.items() if isinstance(value, int | float)}


def steps_of(values: Iterable[tuple[int, float, Mapping[str, Any]]]) -> Iterator[tuple[float, dict[str, float]]]:
    """Time and metrics of each step of a training, in order: of one that was done again after a kill, the last."""
    found: dict[float, tuple[float, dict[str, float]]] = {}
    for _, at, data in values:
        if data.get("stage") == TRAINING and "loss" in data and "step" in data:
            found[float(data["step"])] = at, metrics_of(data)
    yield from (found[step] for step in sorted(found))


def table_of(steps: Iterable[tuple[float, Mapping[str, float]]]) -> bytes:
    """The metrics as CSV."""
    text = io.StringIO()
    table = csv.DictWriter(text, ["step", *_NAMES.values()], lineterminator="\n")
    table.writeheader()
    table.writerows(metrics for _, metrics in steps)
    return text.getvalue().encode()


def checkpoint_of(run: Run, steps: Iterable[tuple[float, dict[str, float]]]) -> dict[str, Any] | None:
    """The epoch whose weights were kept, that with the lowest held-out loss; other epochs keep none."""
    measured = ((at, metrics) for at, metrics in steps if "valid_loss" in metrics)
    best = min(measured, key=lambda each: each[1]["valid_loss"], default=None)
    if best is None:
        return None
    at, metrics = best
    return {
        "id": f"ftckpt-{run.id}",
        "object": "fine_tuning.job.checkpoint",
        "created_at": int(at),
        "fine_tuned_model_checkpoint": run.about,
        "fine_tuning_job_id": PREFIX + run.id,
        "metrics": {**metrics, "full_valid_loss": metrics["valid_loss"]},
        "step_number": int(metrics["step"]),
    }
