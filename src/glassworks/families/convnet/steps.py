"""What a training step of the convolutional network needs: resident pixels, augmentation, sizes, loss and precision."""

from __future__ import annotations

import hashlib
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from glassworks.config import Job
from glassworks.contracts import Dataset
from glassworks.families.convnet.augment import Augmentation, Kind, augmentation
from glassworks.families.convnet.networks import Network, Standardize, arrange
from glassworks.families.convnet.outputs import resident
from glassworks.families.convnet.recipes import Recipe
from glassworks.families.convnet.resizing import Resizing, require_any_size
from glassworks.families.convnet.settings import ConvNetConfig
from glassworks.training.classification import classification_loss, weights_for
from glassworks.training.plan import choose_precision

_SHORT_EPOCHS = 6
_DARK = 0.05 * 255
_WORTH_A_PROBE = 2000
"""The probe for bfloat16 takes about ten steps; in a shorter run it could not pay."""


@dataclass(frozen=True, kw_only=True)
class TrainingStep:
    """What one training step needs."""

    network: Network
    recipe: Recipe
    pixels: Tensor
    targets: Tensor
    augment: Augmentation | None
    weights: Tensor | None
    bf16: bool = False
    resizing: Resizing | None = None

    def pace(self, fraction: float) -> None:
        """Called with the fraction done (0..1) before each step."""
        if self.resizing:
            self.resizing.pace(fraction)

    def loss(self, indices: Tensor) -> Tensor:
        """Of the examples with these indices (B)."""
        device = self.pixels.device
        indices = indices.to(device)
        x = self.pixels[indices].float().div_(255)
        if self.resizing:
            x = self.resizing(x)
        if self.augment:
            x = self.augment(x)
        if self.recipe.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16) if self.bf16 else nullcontext():
            scores = self.network(x)
        targets, smoothing = self.targets[indices], self.recipe.label_smoothing
        return classification_loss(scores, targets, None, self.weights, smoothing)


def make_step(
    network: Network,
    recipe: Recipe,
    dataset: Dataset,
    job: Job,
    config: ConvNetConfig,
    device: torch.device,
    epochs: int,
) -> tuple[TrainingStep, Kind]:
    """What a step needs, and the augmentation's name; the network is moved to the device."""
    pixels, targets = resident(dataset.splits["train"], device)
    _standardize(network, pixels)
    network.to(device)
    arrange(network, channels_last=recipe.channels_last)
    kind = _augmentation_kind(config, recipe, pixels, epochs)
    return TrainingStep(
        network=network,
        recipe=recipe,
        pixels=pixels,
        targets=targets,
        augment=augmentation(kind),
        weights=weights_for(job, targets, len(dataset.classes)),
    ), kind


def with_sizes(step: TrainingStep, start: float | None) -> TrainingStep:
    """With progressive resizing from a share of the side on. Raises ConfigError where the network has one size only."""
    if start is None:
        return step
    channels, height, width = step.pixels.shape[1:]
    resizing = Resizing(height, width, start)
    require_any_size(step.network, resizing, channels, step.pixels.device)
    return replace(step, resizing=resizing)


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


def with_precision(training: TrainingStep, job: Job, folder: Path, batch_size: int, steps: int) -> TrainingStep:
    """In the arithmetic that the job says, or that is quicker here."""
    if job.training.precision != "auto":
        return replace(training, bf16=job.training.precision == "bf16")
    if steps < _WORTH_A_PROBE:
        return training
    indices = torch.arange(min(batch_size, len(training.targets)))

    def step(bf16: bool) -> None:
        replace(training, bf16=bf16).loss(indices).backward()  # type: ignore[no-untyped-call]

    state = {name: tensor.clone() for name, tensor in training.network.state_dict().items()}
    with torch.random.fork_rng(devices=[]):
        training.network.train()
        precision = choose_precision(step, _memory(training, folder, batch_size))
    training.network.load_state_dict(state)
    training.network.zero_grad(set_to_none=True)
    return replace(training, bf16=precision == "bf16")


def _memory(step: TrainingStep, folder: Path, batch_size: int) -> Path:
    """Beside the runs: one file a network, batch and device."""
    shape = (*step.pixels.shape[1:], batch_size, str(step.pixels.device), type(step.network).__name__)
    return folder.parent / f"precision-{hashlib.sha256(repr(shape).encode()).hexdigest()[:12]}.json"
