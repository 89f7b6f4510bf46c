"""Trains what learns of a decoder on conversations; the common loop."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from glassworks.catalog import get
from glassworks.contracts import Measurement, Model, Task
from glassworks.data.conversations.keys import ConversationData
from glassworks.families._language.bringing import about
from glassworks.families.tuned_language_model.answering import forget_answers, show_answers
from glassworks.families.tuned_language_model.conversations import Reading
from glassworks.families.tuned_language_model.distilled import Distilled, is_taught
from glassworks.families.tuned_language_model.network import Tuned, merged, tunable
from glassworks.families.tuned_language_model.objective import Course, Objective
from glassworks.families.tuned_language_model.preferences import Preferences
from glassworks.families.tuned_language_model.settings import TunedLanguageModelConfig
from glassworks.families.tuned_language_model.supervised import Supervised
from glassworks.language.session import signature
from glassworks.storage import write_atomically
from glassworks.training.checkpoint import load_network, save_checkpoint, weights_sha256
from glassworks.training.loop import STATE, Fit, fit
from glassworks.training.parallel import Processors
from glassworks.training.plan import Learner, Plan, choose_device, cosine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from glassworks.config import Job
    from glassworks.contracts import Dataset, Progress
    from glassworks.language.importing import Brought

FINAL, BEFORE = "final.safetensors", "metrics_before.json"
_BATCH, _GRADIENT = 8, 1.0
_WARM_UP, _LAST = 0.1, 0.05
_OBJECTIVES: Mapping[str, type[Objective]] = {"supervised": Supervised, "dpo": Preferences}
_COLUMNS = {"messages", "prompt", "answer", "preferred", "rejected", "system"}


def train(
    dataset: Dataset, job: Job, brought: Brought, config: TunedLanguageModelConfig, folder: Path, progress: Progress,
    started: float,
) -> Model:  # fmt: skip
    """The tuned model; a run that had ended already is read instead of trained again."""
    device = choose_device(job.training.device)
    # On a GPU, or with dropout, whose numbers come in turn, one part after the other.
    most = 1 if device.type != "cpu" or config.dropout else job.training.batch_size or _BATCH
    processors = Processors.of_run(folder, job.training.threads, most)
    course = Course(
        job=job, config=config, folder=folder, progress=progress, started=started,
        reading=Reading.of(brought), dataset=dataset, processors=processors,
    )  # fmt: skip
    chosen = Distilled if is_taught(course.items("train")) else _OBJECTIVES[config.tuning]
    objective = chosen(course)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.training.seed)
        network = tunable(brought, config)
    network.to(device)
    before = _before(network, objective)
    if (folder / FINAL).exists():
        values = {**load_network(folder / FINAL, network, "seconds", "history"), "resumed": True}
    else:
        values = _tuned(network, objective)
    return _model(network, brought, course, values, before)


def _tuned(network: Tuned, objective: Objective) -> dict[str, Any]:
    """Train, and keep what a finished run is read from."""
    course = objective.course
    objective.begin(network)
    result = fit(_learner(network, objective), _plan(objective), course.folder, course.progress)
    read = objective.tokens * result.history[-1]["epoch"] if result.history else 0.0
    course.progress.update(step=result.steps, tokens=read)
    course.progress.finish(_sentence(_measured(network, objective, "validation"), "held-out answers"))
    values = _values(result, course)
    save_checkpoint(course.folder / FINAL, network.state_dict(), values)
    (course.folder / STATE).unlink(missing_ok=True)
    return values


def _values(result: Fit, course: Course) -> dict[str, Any]:
    return {
        "seconds": time.monotonic() - course.started,
        "resumed": result.resumed,
        "history": [dict(row) for row in result.history],
    }


def _learner(network: Tuned, objective: Objective) -> Learner:
    course = objective.course
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    peak = course.job.training.learning_rate or objective.rates[course.config.method]
    rate = peak * course.config.learning_rate_multiplier

    def parts(rows: Tensor) -> Iterator[Callable[[], Tensor]]:
        return objective.parts(network, rows.tolist())

    def loss(rows: Tensor) -> Tensor:
        return torch.stack([part() for part in parts(rows)]).sum()

    def evaluate() -> Mapping[str, float]:
        found = objective.validate(network)
        show_answers(network, objective.shown, course.reading, course.folder, course.progress)
        network.train()
        return {**found, "likelihood": math.exp(-found["validation_loss"])}

    return Learner(
        network=network,
        optimizers=(torch.optim.AdamW(trained, lr=rate, weight_decay=0.0, fused=True),),
        examples=objective.examples,
        loss=loss,
        parts=parts,
        processors=course.processors,
        evaluate=evaluate,
        begun=partial(forget_answers, course.folder, len(objective.shown)),
    )


def _plan(objective: Objective) -> Plan:
    """The epoch with the lowest held-out loss is kept."""
    course = objective.course
    options = course.job.training
    epochs = options.epochs or objective.epochs
    return Plan(
        epochs=epochs,
        batch_size=options.batch_size or _BATCH,
        schedule=cosine(warm_up=_WARM_UP, end=_LAST),
        seed=options.seed,
        metric="likelihood",
        budget_s=options.budget,
        started=course.started,
        patience=options.patience or epochs,
        checkpoint_every_s=options.checkpoint_every,
        drop_last=False,
        largest_gradient=_GRADIENT,
    )


def _measured(network: Tuned, objective: Objective, part: str) -> Mapping[str, Measurement]:
    """The task's metrics on a split; of outputs that only served models have, none."""
    found = objective.outputs(network, part)
    rows = len(objective.course.items(part))
    nothing = np.full(rows, np.nan)
    task = get(Task, "text-generation")
    return task.evaluate(lambda name: found.get(name, nothing), np.ones(rows, np.int64))


def _sentence(metrics: Mapping[str, Measurement], on: str) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {found.value:.3f}" for name, found in metrics.items()) + f" on {on}"


def _before(network: Tuned, objective: Objective) -> Mapping[str, Measurement]:
    """What the model is worth on the test split before anything is learned; measured once for each run."""
    course = objective.course
    path = course.folder / BEFORE
    if not path.exists():
        course.progress.start("before")
        measured = _measured(network, objective, "test")
        kept = {name: found.model_dump(mode="json") for name, found in measured.items()}
        write_atomically(path, json.dumps(kept).encode())
        course.progress.finish(_sentence(measured, "the test split before tuning"))
    return {name: Measurement.model_validate(found) for name, found in json.loads(path.read_bytes()).items()}


def _model(
    network: Tuned, brought: Brought, course: Course, values: Mapping[str, Any], before: Mapping[str, Measurement]
) -> Model:
    network.to("cpu").eval()
    digest = weights_sha256(network)
    tuned = merged(network, brought)
    columns = ConversationData.of(course.job).model_dump(include=_COLUMNS)
    return Model(
        family=course.job.family,
        network=tuned,
        signature=signature(),
        preprocessing={**about(tuned.settings), "columns": columns, "keep_examples": course.config.keep_examples},
        weights_sha256=digest,
        metrics={},
        run=course.folder.name,
        resumed=bool(values["resumed"]),
        seconds=float(values["seconds"]),
        history=tuple(values["history"]),
        comparison={"before tuning": before},
    )
