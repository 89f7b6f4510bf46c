"""Trains a convolutional network: resident pixels, a recipe, and the common loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from glassworks.catalog import get
from glassworks.config import Job
from glassworks.contracts import Dataset, Measurement, Model, Progress, Task
from glassworks.errors import ConfigError
from glassworks.families.convnet.deciding import apply_decision, decide, view_scores
from glassworks.families.convnet.export import signature
from glassworks.families.convnet.networks import Network, arrange
from glassworks.families.convnet.outputs import fit_outputs, resident
from glassworks.families.convnet.recipes import RECIPES, Recipe, Shape
from glassworks.families.convnet.settings import ConvNetConfig
from glassworks.families.convnet.steps import make_step, with_precision, with_sizes
from glassworks.training.checkpoint import load_checkpoint, save_checkpoint, weights_sha256
from glassworks.training.classification import accuracies, classification_loss, stopping_metric
from glassworks.training.loop import STATE, fit
from glassworks.training.plan import Learner, Plan, choose_device, usable_cpus

FINAL = "final.safetensors"
_FEW = 1000
_SMALL_BATCH = 32
_SAVING_S = 0.05


def train(dataset: Dataset, job: Job, config: ConvNetConfig, folder: Path, progress: Progress, started: float) -> Model:
    """The trained network; a run that had ended already is read instead of trained again.

    `started` is the reading of the monotonic clock from which the job's budget counts.
    """
    torch.set_num_threads(job.training.threads or usable_cpus())
    recipe = _recipe(job)
    train_split = dataset.splits["train"]
    _, height, width, channels = train_split.x.shape
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.training.seed)
        network = recipe.build(Shape(height, width, channels, len(dataset.classes)), config.backbone)
    if (folder / FINAL).exists():
        tensors, values = load_checkpoint(folder / FINAL)
        network.load_state_dict(tensors)
        return _model(network, dataset, config, folder, values, resumed=True)
    values = _fit(network, recipe, dataset, job, config, folder, progress, started)
    save_checkpoint(folder / FINAL, network.state_dict(), values)
    (folder / STATE).unlink(missing_ok=True)
    return _model(network, dataset, config, folder, values, resumed=bool(values["resumed"]))


def _recipe(job: Job) -> Recipe:
    if job.training.recipe not in RECIPES:
        raise ConfigError(
            f"job '{job.name}': 'training.recipe' is '{job.training.recipe}'",
            f"recipes of convnet: {', '.join(RECIPES)}",
        )
    return RECIPES[job.training.recipe]


def _fit(
    network: Network,
    recipe: Recipe,
    dataset: Dataset,
    job: Job,
    config: ConvNetConfig,
    folder: Path,
    progress: Progress,
    started: float,
) -> dict[str, Any]:
    """Train, and return what is kept beside the weights."""
    device = choose_device(job.training.device)
    batch_size, epochs = _extent(recipe, job, len(dataset.splits["train"]))
    step, kind = make_step(network, recipe, dataset, job, config, device, epochs)
    step = with_precision(step, job, folder, batch_size, epochs * len(step.targets) // batch_size)
    step = with_sizes(step, config.progressive)
    validation = resident(dataset.splits["validation"], device)
    learner = Learner(
        network=network,
        optimizers=recipe.optimizers(network, job.training.learning_rate or recipe.learning_rate),
        examples=len(step.targets),
        loss=step.loss,
        evaluate=lambda: evaluate(network, *validation, step.weights),
        pace=step.pace,
    )
    reserve_s = 2 * _seconds(learner.evaluate) + _SAVING_S if job.training.budget else 0.0
    plan = _plan(recipe, job, batch_size, epochs, started, reserve_s)
    guard = get(Task, "image-classification").guard(dataset.splits["validation"].y)
    result = fit(learner, replace(plan, metric=stopping_metric(guard, job)), folder, progress)
    decision = decide(network, *validation, config.views)
    network.to("cpu")
    arrange(network, channels_last=False)
    progress.finish(f"{guard} {decision.metrics[guard].value:.4f} on validation")
    return {
        "seconds": time.monotonic() - started,
        "resumed": result.resumed,
        **decision.record(),
        "history": list(result.history),
        "augment": kind,
        "precision": "bf16" if step.bf16 else "fp32",
    }


def _extent(recipe: Recipe, job: Job, examples: int) -> tuple[int, int]:
    """(batch size, epochs): what the job says, else the recipe's; small data in smaller batches and more often."""
    usual = recipe.batch_size if examples >= _FEW else min(_SMALL_BATCH, recipe.batch_size)
    batch_size = job.training.batch_size or usual
    return batch_size, job.training.epochs or max(recipe.epochs, math.ceil(recipe.min_steps * batch_size / examples))


def _plan(recipe: Recipe, job: Job, batch_size: int, epochs: int, started: float, reserve_s: float) -> Plan:
    """The recipe under the job's budget, of which the end of the stage takes `reserve_s`: validation and saving."""
    options = job.training
    return Plan(
        epochs=epochs,
        batch_size=batch_size,
        schedule=recipe.schedule,
        seed=options.seed,
        metric="accuracy",
        budget_s=options.budget,
        started=started,
        reserve_s=reserve_s,
        average_tail=recipe.average_tail,
        patience=options.patience,
        checkpoint_every_s=options.checkpoint_every,
        drop_last=recipe.drop_last,
    )


def _seconds(call: Callable[[], object]) -> float:
    start = time.monotonic()
    call()
    return time.monotonic() - start


def evaluate(network: Network, pixels: Tensor, targets: Tensor, weights: Tensor | None = None) -> Mapping[str, float]:
    """Accuracy and log loss, quickly, for progress and early stopping; of several labels micro F1 too."""
    (scores,) = torch.from_numpy(view_scores(network, pixels, "none"))
    network.train()
    answers = targets.cpu()
    if answers.ndim == 1:
        chosen, more = scores.argmax(dim=1), {}
    else:
        chosen = (scores >= 0).long()
        more = {"micro_f1": float(2 * (chosen * answers).sum() / (chosen.sum() + answers.sum()).clamp_min(1))}
    return {
        **accuracies((chosen == answers).numpy(), answers.numpy(), weights),
        **more,
        "validation_loss": float(classification_loss(scores, answers, None, weights, 0.0)),
    }


def _model(
    network: Network, dataset: Dataset, config: ConvNetConfig, folder: Path, values: Mapping[str, Any], *, resumed: bool
) -> Model:
    _, height, width, channels = dataset.splits["train"].x.shape
    network.eval()
    weights = weights_sha256(network)
    multi_label = dataset.splits["train"].y.ndim == 2
    apply_decision(network, {**values, "views": "none"})
    fit_outputs(network, dataset, config)
    apply_decision(network, values)
    metrics = cast(Mapping[str, Any], values["metrics"])
    return Model(
        family="convnet",
        network=network,
        signature=signature(height, width, channels, len(dataset.classes), network),
        preprocessing={
            "height": height,
            "width": width,
            "channels": channels,
            **dataset.preprocessing,
            **({"thresholds": list(values["thresholds"])} if multi_label else {}),
        },
        weights_sha256=weights,
        metrics={name: Measurement.model_validate(value) for name, value in metrics.items()},
        run=folder.name,
        resumed=resumed,
        seconds=float(values["seconds"]),
        history=tuple(values["history"]),
    )
