"""What the common loop optimizes: the network alone, on texts with some tokens hidden."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glassworks.config import Job
from glassworks.families._text.preparation import like_length
from glassworks.families._text.vocabulary import PADDING, UNKNOWN
from glassworks.families._text.windows import Batch, Read
from glassworks.families.recurrent_text.network import RecurrentText
from glassworks.training.calibration import negative_log_likelihood
from glassworks.training.classification import accuracies, classification_loss, held_weights, judged_by
from glassworks.training.plan import Learner, Plan, cosine

_EPOCHS, _BATCH, _RATE, _VECTOR_RATE = 8, 64, 2e-3, 5e-4
_WORD_DROPOUT, _SMOOTHING = 0.25, 0.1
_MIN_STEPS = 300
_ROWS = 128


def learner(
    network: RecurrentText, learning: Read, soft: Tensor | None, held: Read, weights: Tensor | None, job: Job
) -> Learner:
    """Texts of like length in one batch; token vectors, which begin with a meaning, change more slowly.

    `soft` are a teacher's probabilities (N K), `weights` those of classes.
    """
    tokens = torch.from_numpy(learning.tokens)
    batch = _batch_size(job, len(learning))
    rate, vectors = job.training.learning_rate or _RATE, network.embedding.weight
    rest = [parameter for parameter in network.parameters() if parameter is not vectors]
    groups = [
        {"params": [vectors], "lr": rate * _VECTOR_RATE / _RATE, "weight_decay": 0.0},
        {"params": rest, "lr": rate, "weight_decay": 0.01},
    ]
    return Learner(
        network=network,
        optimizers=(torch.optim.AdamW(groups, fused=True),),
        examples=len(learning),
        loss=_loss(network, learning, soft, weights),
        evaluate=lambda: _evaluate(network, held, weights),
        arrange=lambda order: like_length(order, tokens, batch),
    )


def plan(job: Job, examples: int, started: float) -> Plan:
    """Few texts are read more often: at least 300 steps."""
    options, batch = job.training, _batch_size(job, examples)
    return Plan(
        epochs=options.epochs or max(_EPOCHS, -(-_MIN_STEPS * batch // examples)),
        batch_size=batch,
        schedule=cosine(warm_up=0.05),
        seed=options.seed,
        metric=judged_by("accuracy", job),
        budget_s=options.budget,
        started=started,
        average_tail=0.2,
        patience=options.patience,
        checkpoint_every_s=options.checkpoint_every,
    )


def scores_of(network: RecurrentText, read: Read) -> NDArray[np.float32]:
    """Scores (N K) of the network alone."""
    network.eval()
    found = np.zeros((len(read), len(network.bias)), np.float32)
    order = np.argsort(read.tokens, kind="stable")
    with torch.inference_mode():
        for begin in range(0, len(order), _ROWS):
            rows = order[begin : begin + _ROWS]
            found[rows] = _scores(network, read.batch(rows.tolist())).cpu().numpy()
    return found


def _scores(network: RecurrentText, batch: Batch) -> Tensor:
    ids, device = batch.ids, network.embedding.weight.device
    if network.training:
        ids = torch.where((torch.rand(ids.shape) < _WORD_DROPOUT) & (ids != PADDING), UNKNOWN, ids)
    return batch.gathered(network(ids.to(device), batch.mask.sum(1)).float())


def _batch_size(job: Job, examples: int) -> int:
    return job.training.batch_size or (_BATCH if examples >= 2000 else 16)


def _loss(
    network: RecurrentText, learning: Read, soft: Tensor | None, weights: Tensor | None
) -> Callable[[Tensor], Tensor]:
    targets = torch.from_numpy(learning.targets)

    def loss(rows: Tensor) -> Tensor:
        scores = _scores(network, learning.batch(rows.tolist()))
        return classification_loss(scores, targets[rows], soft[rows] if soft is not None else None, weights, _SMOOTHING)

    return loss


def _evaluate(network: RecurrentText, held: Read, weights: Tensor | None) -> Mapping[str, float]:
    scores = scores_of(network, held)
    network.train()
    found = (scores > 0) if held.targets.ndim == 2 else scores.argmax(axis=1)
    return {
        **accuracies(found == held.targets, held.targets, weights),
        "validation_loss": negative_log_likelihood(scores, held.targets, held_weights(held.targets, weights)),
    }
