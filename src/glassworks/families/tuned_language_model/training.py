"""Trains what learns of a decoder on conversations; the common loop."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glassworks.catalog import get
from glassworks.contracts import Measurement, Model, Task
from glassworks.data.conversations.keys import ConversationData
from glassworks.families._language.bringing import about
from glassworks.families.tuned_language_model.answering import show_answers
from glassworks.families.tuned_language_model.conversations import Reading
from glassworks.families.tuned_language_model.network import Tuned, merged, tunable
from glassworks.families.tuned_language_model.packing import rows_of
from glassworks.families.tuned_language_model.settings import TunedLanguageModelConfig
from glassworks.language.session import signature
from glassworks.machine import free_cpus
from glassworks.storage import write_atomically
from glassworks.training.checkpoint import load_checkpoint, save_checkpoint, weights_sha256
from glassworks.training.loop import STATE, Fit, fit
from glassworks.training.plan import Learner, Plan, choose_device, cosine

if TYPE_CHECKING:
    from glassworks.config import Job
    from glassworks.contracts import Dataset, Progress
    from glassworks.language.examples import Example
    from glassworks.language.importing import Brought

FINAL, BEFORE, THREADS = "final.safetensors", "before.json", "threads.json"
_EPOCHS, _BATCH, _GRADIENT = 4, 8, 1.0
_RATES: Mapping[str, float] = {"lora": 1e-3, "dora": 1e-3, "full": 5e-5}
_WARM_UP, _LAST = 0.1, 0.05


@dataclass(frozen=True, kw_only=True)
class Course:
    """What all steps of one training share."""

    job: Job
    config: TunedLanguageModelConfig
    folder: Path
    progress: Progress
    started: float
    reading: Reading
    learning: Sequence[Example]
    validation: Sequence[Example]


def train(
    dataset: Dataset, job: Job, brought: Brought, config: TunedLanguageModelConfig, folder: Path, progress: Progress,
    started: float,
) -> Model:  # fmt: skip
    """The tuned model; a run that had ended already is read instead of trained again."""
    torch.set_num_threads(_threads(job, folder))
    reading = Reading.of(brought)
    examples = {name: _examples(dataset, name, reading) for name in dataset.splits}
    course = Course(
        job=job, config=config, folder=folder, progress=progress, started=started,
        reading=reading, learning=examples["train"], validation=examples["validation"],
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.training.seed)
        network = tunable(brought, config)
    network.to(choose_device(job.training.device))
    before = _before(network, examples["test"], course)
    if (folder / FINAL).exists():
        tensors, values = load_checkpoint(folder / FINAL)
        network.load_state_dict(tensors)
        values = {**values, "resumed": True}
    else:
        values = _tuned(network, course)
    return _model(network, brought, course, values, before)


def _tuned(network: Tuned, course: Course) -> dict[str, Any]:
    """Train, and keep what a finished run is read from."""
    result = fit(_learner(network, course), _plan(course), course.folder, course.progress)
    last = _perplexity(_scored(network, course.validation, course))
    course.progress.finish(f"perplexity {last.value:.3f} on held-out answers")
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


def _learner(network: Tuned, course: Course) -> Learner:
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    rate = course.job.training.learning_rate or _RATES[course.config.method]

    def parts(rows: Tensor) -> Iterator[Tensor]:
        chosen = [course.learning[row] for row in rows.tolist()]
        targets = sum(int(example.learned[1:].sum()) for example in chosen)
        for row in rows_of(chosen, course.config.row_tokens):
            yield network.loss(row) / targets

    def loss(rows: Tensor) -> Tensor:
        return torch.stack(list(parts(rows))).sum()

    def evaluate() -> Mapping[str, float]:
        scores = _scored(network, course.validation, course)
        shown = course.validation[: course.config.answers_shown]
        show_answers(network, shown, course.reading, course.folder, course.progress)
        network.train()
        lost = -float(scores[:, 0].sum() / scores[:, 1].sum())
        return {"validation_loss": lost, "likelihood": math.exp(-lost)}

    return Learner(
        network=network,
        optimizers=(torch.optim.AdamW(trained, lr=rate, weight_decay=0.0, fused=True),),
        examples=len(course.learning),
        loss=loss,
        parts=parts,
        evaluate=evaluate,
    )


def _plan(course: Course) -> Plan:
    """The epoch with the lowest held-out loss is kept."""
    options = course.job.training
    epochs = options.epochs or _EPOCHS
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


def _scored(network: Tuned, examples: Sequence[Example], course: Course) -> NDArray[np.float64]:
    """Of each example (N 2) the sum of its answers' log-probabilities, and how many tokens they are."""
    network.eval()
    found = np.zeros((len(examples), 2))
    with torch.inference_mode():
        for index, example in enumerate(examples):
            course.progress.check()
            (row,) = rows_of([example], len(example))
            found[index] = -float(network.loss(row)), len(row.targets)
    return found


def _perplexity(scores: NDArray[np.float64]) -> Measurement:
    task = get(Task, "text-generation")
    return task.measure(scores, np.ones(len(scores), np.int64))[task.metric]


def _before(network: Tuned, examples: Sequence[Example], course: Course) -> Mapping[str, Measurement]:
    """What the model is worth on the test split before anything is learned; measured once for each run."""
    path = course.folder / BEFORE
    if not path.exists():
        course.progress.start("before")
        measured = _perplexity(_scored(network, examples, course))
        write_atomically(path, measured.model_dump_json().encode())
        course.progress.finish(f"perplexity {measured.value:.3f} on the test split before tuning")
    return {"perplexity": Measurement.model_validate_json(path.read_bytes())}


def _model(
    network: Tuned, brought: Brought, course: Course, values: Mapping[str, Any], before: Mapping[str, Measurement]
) -> Model:
    network.to("cpu").eval()
    digest = weights_sha256(network)
    tuned = merged(network, brought)
    columns = ConversationData.of(course.job).model_dump(include={"messages", "prompt", "answer", "system"})
    return Model(
        family=course.job.family,
        network=tuned,
        signature=signature(),
        preprocessing={**about(tuned.settings), "columns": columns},
        weights_sha256=digest,
        metrics={},
        run=course.folder.name,
        resumed=bool(values["resumed"]),
        seconds=float(values["seconds"]),
        history=tuple(values["history"]),
        comparison={"before tuning": before},
    )


def _examples(dataset: Dataset, part: str, reading: Reading) -> list[Example]:
    return [example for item in dataset.splits[part].x.tolist() for example in reading.examples(item)]


def _threads(job: Job, folder: Path) -> int:
    """Those of the job, else as many as there are free processors; a resumed run computes with as many as it began
    with: sums over other numbers of threads differ in their last bits.
    """
    path = folder / THREADS
    if job.training.threads:
        return job.training.threads
    if not path.exists():
        write_atomically(path, json.dumps(free_cpus()).encode())
    return int(json.loads(path.read_bytes()))
