"""Trains a convolutional network: resident pixels, a recipe, and the common loop."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from glassworks.catalog import get
from glassworks.config import Job
from glassworks.contracts import Dataset, Measurement, Model, Progress, Task
from glassworks.errors import ConfigError
from glassworks.families.convnet import ConvNetConfig, settings
from glassworks.families.convnet.augment import Augmentation, Kind, augmentation
from glassworks.families.convnet.export import signature
from glassworks.families.convnet.networks import Network, Standardize, arrange
from glassworks.families.convnet.recipes import RECIPES, Recipe, Shape
from glassworks.families.convnet.told import resident, tell
from glassworks.training.checkpoint import load_checkpoint, save_checkpoint, weights_sha256
from glassworks.training.loop import STATE, Learner, Plan, fit
from glassworks.training.machine import choose_device, choose_precision, usable_cpus

FINAL = "final.safetensors"
_ROWS = 512
_SHORT_EPOCHS = 6
_DARK = 0.05 * 255
_FEW = 1000
_SMALL_BATCH = 32
_SAVING_S = 0.05
_WORTH_A_PROBE = 2000
"""The probe for bfloat16 takes about ten steps; in a shorter run it could not pay."""


@dataclass(frozen=True, kw_only=True)
class _Setting:
    """What one training step needs."""

    network: Network
    recipe: Recipe
    pixels: Tensor
    targets: Tensor
    augment: Augmentation | None
    weights: Tensor | None
    bf16: bool

    def loss(self, indices: Tensor) -> Tensor:
        device = self.pixels.device
        indices = indices.to(device)
        x = self.pixels[indices].float().div_(255)
        if self.augment:
            x = self.augment(x)
        if self.recipe.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16) if self.bf16 else nullcontext():
            scores = self.network(x)
        return functional.cross_entropy(
            scores.float(), self.targets[indices], self.weights, label_smoothing=self.recipe.label_smoothing
        )


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
        return _model(network, dataset, job, folder, values, resumed=True)
    values = _fit(network, recipe, dataset, job, config, folder, progress, started)
    save_checkpoint(folder / FINAL, network.state_dict(), values)
    (folder / STATE).unlink(missing_ok=True)
    return _model(network, dataset, job, folder, values, resumed=bool(values["resumed"]))


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
    setting, kind, epochs, batch_size = _setting(network, recipe, dataset, job, config, device)
    setting = _with_precision(setting, job, folder, batch_size, epochs * len(setting.targets) // batch_size)
    validation = resident(dataset.splits["validation"], device)
    learner = Learner(
        network=network,
        optimizers=recipe.optimizers(network, job.training.learning_rate or recipe.learning_rate),
        examples=len(setting.targets),
        loss=setting.loss,
        evaluate=lambda: evaluate(network, *validation),
    )
    reserve_s = 2 * _seconds(learner.evaluate) + _SAVING_S if job.training.budget else 0.0
    result = fit(learner, _plan(recipe, job, batch_size, epochs, started, reserve_s), folder, progress)
    scores = probabilities(network, validation[0]).numpy()
    metrics = get(Task, "image-classification").measure(scores, validation[1].cpu().numpy())
    network.to("cpu")
    arrange(network, channels_last=False)
    progress.finish(f"accuracy {metrics['accuracy'].value:.4f} on validation")
    return {
        "seconds": time.monotonic() - started,
        "resumed": result.resumed,
        "metrics": {name: value.model_dump(mode="json") for name, value in metrics.items()},
        "history": list(result.history),
        "augment": kind,
        "precision": "bf16" if setting.bf16 else "fp32",
    }


def _setting(
    network: Network, recipe: Recipe, dataset: Dataset, job: Job, config: ConvNetConfig, device: torch.device
) -> tuple[_Setting, Kind, int, int]:
    """What a step needs, the augmentation's name, the epochs and the batch size; the network is put in place."""
    pixels, targets = resident(dataset.splits["train"], device)
    _standardize(network, pixels)
    network.to(device)
    arrange(network, channels_last=recipe.channels_last)
    batch_size, epochs = _extent(recipe, job, len(targets))
    kind = _augmentation_kind(config, recipe, pixels, epochs)
    balanced = job.training.class_weights == "balanced"
    setting = _Setting(
        network=network,
        recipe=recipe,
        pixels=pixels,
        targets=targets,
        augment=augmentation(kind),
        weights=_class_weights(targets, len(dataset.classes)) if balanced else None,
        bf16=False,
    )
    return setting, kind, epochs, batch_size


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


def _standardize(network: Network, pixels: Tensor) -> None:
    for module in network.modules():
        if isinstance(module, Standardize) and module.learned:
            some = pixels[:4096].float().div_(255)
            module.mean.copy_(some.mean(dim=(0, 2, 3)).reshape(module.mean.shape))
            module.std.copy_(some.std(dim=(0, 2, 3)).clamp_min(1e-3).reshape(module.std.shape))


def _augmentation_kind(config: ConvNetConfig, recipe: Recipe, pixels: Tensor, epochs: int) -> Kind:
    """`auto`: by what the pictures look like; none for runs too short to see a picture often.

    Symbols on a dark ground must not be mirrored and may be turned; color pictures are taken for photographs.
    """
    if config.augment != "auto":
        return config.augment
    if not recipe.augments or epochs < _SHORT_EPOCHS:
        return "none"
    if pixels.shape[1] == 3:
        return "photos"
    frame = torch.cat([pixels[:, :, [0, -1], :].flatten(), pixels[:, :, :, [0, -1]].flatten()])
    return "digits" if frame.float().median() < _DARK else "shifts"


def _class_weights(targets: Tensor, classes: int) -> Tensor:
    """Each class counts alike: N / (K * count), as in King and Zeng (2001)."""
    counts = torch.bincount(targets, minlength=classes).clamp_min(1)
    return len(targets) / (classes * counts.float())


def _with_precision(setting: _Setting, job: Job, folder: Path, batch_size: int, steps: int) -> _Setting:
    if job.training.precision != "auto":
        return _replace(setting, bf16=job.training.precision == "bf16")
    if steps < _WORTH_A_PROBE:
        return setting
    indices = torch.arange(min(batch_size, len(setting.targets)))

    def step(bf16: bool) -> None:
        _replace(setting, bf16=bf16).loss(indices).backward()  # type: ignore[no-untyped-call]

    state = {name: tensor.clone() for name, tensor in setting.network.state_dict().items()}
    with torch.random.fork_rng(devices=[]):
        setting.network.train()
        precision = choose_precision(step, _memory(setting, folder, batch_size))
    setting.network.load_state_dict(state)
    setting.network.zero_grad(set_to_none=True)
    return _replace(setting, bf16=precision == "bf16")


def _memory(setting: _Setting, folder: Path, batch_size: int) -> Path:
    """Beside the runs: one file a network, batch and device."""
    shape = (*setting.pixels.shape[1:], batch_size, str(setting.pixels.device), type(setting.network).__name__)
    return folder.parent / f"precision-{hashlib.sha256(repr(shape).encode()).hexdigest()[:12]}.json"


def _replace(setting: _Setting, *, bf16: bool) -> _Setting:
    return _Setting(**{**vars(setting), "bf16": bf16})


def probabilities(network: nn.Module, pixels: Tensor) -> Tensor:
    """Softmax probabilities (N K, float32 on the CPU) of uint8 pixels (N C H W)."""
    network.eval()
    with torch.inference_mode():
        parts = [network(part.float().div_(255)).float().softmax(dim=1) for part in torch.split(pixels, _ROWS)]
    return torch.cat(parts).cpu()


def evaluate(network: nn.Module, pixels: Tensor, targets: Tensor) -> Mapping[str, float]:
    """Accuracy and log loss, quickly, for progress and early stopping."""
    scores = probabilities(network, pixels)
    network.train()
    answers = targets.cpu()
    loss = functional.nll_loss(scores.clamp_min(1e-12).log(), answers)
    return {"accuracy": float((scores.argmax(dim=1) == answers).float().mean()), "validation_loss": float(loss)}


def _model(
    network: Network, dataset: Dataset, job: Job, folder: Path, values: Mapping[str, Any], *, resumed: bool
) -> Model:
    _, height, width, channels = dataset.splits["train"].x.shape
    network.eval()
    weights = weights_sha256(network)
    tell(network, dataset, settings(job))
    metrics = cast(Mapping[str, Any], values["metrics"])
    return Model(
        family="convnet",
        network=network,
        signature=signature(height, width, channels, len(dataset.classes), network),
        preprocessing={"height": height, "width": width, "channels": channels},
        weights_sha256=weights,
        metrics={name: Measurement.model_validate(value) for name, value in metrics.items()},
        run=folder.name,
        resumed=resumed,
        seconds=float(values["seconds"]),
        history=tuple(values["history"]),
    )
