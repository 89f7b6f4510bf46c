"""The steps of the common loop: rates by depth, batches of like length, windows of a text averaged."""

from __future__ import annotations

import dataclasses
import re
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glassworks.config import Job
from glassworks.contracts import Progress
from glassworks.families._text.tokens import TokenizedSplit
from glassworks.families._text.training import like_length
from glassworks.families.transformer_text.network import TransformerText
from glassworks.training.classification import accuracies, calibrated_loss, classification_loss, validation_weights
from glassworks.training.plan import Learner, Plan, choose_precision, cosine

_LAYER = re.compile(r"\.layers?\.(\d+)\.")
_EVALUATED_ROWS = 64
_SMOOTHING = 0.1
_WORTH_A_PROBE = 60
"""The probe for bfloat16 takes about ten steps; in a shorter run it could not pay."""


@dataclass(frozen=True, kw_only=True)
class _Defaults:
    rate: float
    head: float
    """Times the rate for what is new."""
    decay: float
    """Times the rate a layer down (Howard and Ruder 2018, discriminative fine-tuning)."""
    batch: int
    epochs: int
    steps: int
    """At least."""
    warm_up: float


_PRETRAINED = _Defaults(rate=5e-5, head=10.0, decay=0.85, batch=16, epochs=3, steps=120, warm_up=0.1)
_LORA = dataclasses.replace(_PRETRAINED, rate=5e-4, head=2.0)
_SCRATCH = _Defaults(rate=1e-3, head=1.0, decay=1.0, batch=32, epochs=10, steps=300, warm_up=0.1)


@dataclass(frozen=True, kw_only=True)
class Course:
    """What is learned from, what it is validated on, and how."""

    job: Job
    learning: TokenizedSplit
    validation: TokenizedSplit
    soft: Tensor | None
    weights: Tensor | None
    pretrained: bool
    lora: bool = False
    bf16: bool = False

    @property
    def defaults(self) -> _Defaults:
        if not self.pretrained:
            return _SCRATCH
        return _LORA if self.lora else _PRETRAINED

    @property
    def batch_size(self) -> int:
        few = min(self.defaults.batch, max(4, len(self.learning) // 8))
        return self.job.training.batch_size or few

    def validation_loss(self, scores: NDArray[np.float32]) -> float:
        """Log loss of scores (N K) of the validation texts at their best temperature; classes count as in training."""
        return calibrated_loss(
            scores, self.validation.targets, validation_weights(self.validation.targets, self.weights)
        )

    @property
    def epochs(self) -> int:
        least = -(-self.defaults.steps * self.batch_size // len(self.learning))
        return self.job.training.epochs or max(self.defaults.epochs, least)


def learner(network: TransformerText, course: Course) -> Learner:
    """What the loop optimizes."""
    targets = torch.from_numpy(course.learning.targets)
    tokens, smoothing = torch.from_numpy(course.learning.tokens), 0.0 if course.pretrained else _SMOOTHING

    def loss(rows: Tensor) -> Tensor:
        scores = _scores(network, course.learning, rows.tolist(), bf16=course.bf16)
        soft = course.soft[rows] if course.soft is not None else None
        return classification_loss(scores, targets[rows], soft, course.weights, smoothing)

    def evaluate() -> dict[str, float]:
        scores = scores_of(network, course.validation, bf16=course.bf16)
        network.train()
        found = (scores > 0) if course.validation.targets.ndim == 2 else scores.argmax(axis=1)
        lost = course.validation_loss(scores)
        return {
            **accuracies(found == course.validation.targets, course.validation.targets, course.weights),
            "validation_loss": lost,
            "likelihood": float(np.exp(-lost)),
        }

    return Learner(
        network=network,
        optimizers=(torch.optim.AdamW(_groups(network, course), fused=True),),
        examples=len(course.learning),
        loss=loss,
        evaluate=evaluate,
        arrange=lambda order: like_length(order, tokens, course.batch_size),
    )


def plan(course: Course, started: float, reserve_s: float) -> Plan:
    """How long; of a pretrained encoder the epoch that validation likes best is kept."""
    options = course.job.training
    return Plan(
        epochs=course.epochs,
        batch_size=course.batch_size,
        schedule=cosine(warm_up=course.defaults.warm_up),
        seed=options.seed,
        metric="likelihood",
        budget_s=options.budget,
        started=started,
        reserve_s=reserve_s,
        average_tail=0.0 if course.pretrained else 0.2,
        patience=options.patience or (course.epochs if course.pretrained else None),
        checkpoint_every_s=options.checkpoint_every,
    )


def chosen_precision(network: TransformerText, course: Course, folder: Path) -> Course:
    """bfloat16 where the job says so, or where a probe shows that it is quicker."""
    wanted = course.job.training.precision
    steps = course.epochs * len(course.learning) // course.batch_size
    if wanted != "auto" or steps < _WORTH_A_PROBE:
        return dataclasses.replace(course, bf16=wanted == "bf16")
    rows = np.argsort(course.learning.tokens, kind="stable")
    middle = max(0, len(rows) // 2 - course.batch_size // 2)
    some = torch.from_numpy(rows[middle : middle + course.batch_size].copy())

    def step(bf16: bool) -> None:
        learner(network, dataclasses.replace(course, bf16=bf16)).loss(some).backward()  # type: ignore[no-untyped-call]

    with torch.random.fork_rng(devices=[]):
        network.train()
        width, layers = network.head.in_features, sum(1 for _ in network.parameters())
        memory = folder.parent / f"precision-transformer-{width}-{layers}-{course.batch_size}.json"
        precision = choose_precision(step, memory, repeats=3)
    network.zero_grad(set_to_none=True)
    return dataclasses.replace(course, bf16=precision == "bf16")


def scores_of(
    network: TransformerText,
    texts: TokenizedSplit,
    *,
    pooled: bool = False,
    bf16: bool = False,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Scores (N K) in evaluation mode, or the pooled vectors (N D) that the head takes. Raises Cancelled."""
    network.eval()
    progress = progress or Progress()
    size = network.head.in_features if pooled else network.head.out_features
    found = np.zeros((len(texts), size), np.float32)
    order = np.argsort(texts.tokens, kind="stable")
    with torch.inference_mode():
        for begin in range(0, len(order), _EVALUATED_ROWS):
            progress.check()
            rows = order[begin : begin + _EVALUATED_ROWS]
            values = _scores(network, texts, rows.tolist(), bf16=bf16, pooled=pooled)
            found[rows] = values.float().cpu().numpy()
    return found


def _scores(
    network: TransformerText, texts: TokenizedSplit, rows: list[int], *, bf16: bool, pooled: bool = False
) -> Tensor:
    batch = texts.batch(rows)
    device = network.head.weight.device
    with torch.autocast(device.type, torch.bfloat16) if bf16 else nullcontext():
        found = _pooled(network, batch.ids.to(device), batch.mask.to(device), padding=texts.padding)
        return batch.averaged((found if pooled else network.classify(found)).float())


def _pooled(network: TransformerText, ids: Tensor, mask: Tensor, *, padding: bool) -> Tensor:
    """Pooled vectors (N D) of windows (N T); without `padding` those of one length are read together."""
    if padding:
        return network.pool(network.embed(ids), mask)
    lengths = mask.sum(1)
    groups = [(length, (lengths == length).nonzero()[:, 0]) for length in sorted(set(lengths.tolist()))]
    found = torch.cat([network.pool(network.embed(ids[rows, :size]), mask[rows, :size]) for size, rows in groups])
    return found[torch.cat([rows for _, rows in groups]).argsort()]


def _groups(network: TransformerText, course: Course) -> list[dict[str, Any]]:
    """Parameters with one rate and decay each; biases and normalizations are not decayed."""
    rate = course.job.training.learning_rate or course.defaults.rate
    named = [(name, values) for name, values in network.named_parameters() if values.requires_grad]
    depth = 1 + max((int(match[1]) for name, _ in named if (match := _LAYER.search(name))), default=0)
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, values in named:
        match = _LAYER.search(name)
        below = 0 if name.startswith("head.") else depth - int(match[1]) if match else depth + 1
        factor = course.defaults.head if name.startswith("head.") else course.defaults.decay ** (below - 1)
        decay = 0.01 if values.ndim > 1 else 0.0
        groups.setdefault((rate * factor, decay), []).append(values)
    return [{"params": members, "lr": lr, "weight_decay": decay} for (lr, decay), members in groups.items()]
