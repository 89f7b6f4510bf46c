"""What the training of text classifiers has in common: batches of like length, calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from glassworks.catalog import get
from glassworks.contracts import Task
from glassworks.families._text.vocabulary import learn_tokenizer
from glassworks.storage import write_atomically
from glassworks.training.calibration import fit_temperature, fit_threshold

if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer

    from glassworks.config import Job
    from glassworks.contracts import Dataset
    from glassworks.families._text.vocabulary import Kind

_CHUNK = 32


def like_length(order: Tensor, lengths: Tensor, batch: int) -> Tensor:
    """Texts of like length in one batch: within random chunks of 32 batches, which then are shuffled.

    What fills no batch, and is left out of this round, is at the end: any texts, not the longest.
    """
    whole = len(order) - len(order) % batch
    parts = []
    for chunk in torch.split(order[:whole], _CHUNK * batch):
        groups = torch.split(chunk[lengths[chunk].argsort(stable=True)], batch)
        parts += [groups[each] for each in torch.randperm(len(groups)).tolist()]
    return torch.cat([*parts, order[whole:]])


def calibrated(
    scores: NDArray[np.float32], targets: NDArray[np.int64], coverage: float
) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """What the bundle says about calibration, and the probabilities with it."""
    task = get(Task, "text-classification")
    temperature = fit_temperature(scores, targets)
    before, after = (_probabilities(scores / each, targets.ndim == 2) for each in (1.0, temperature))
    errors = [task.measure(each, targets)["calibration_error"].value for each in (before, after)]
    return {
        "temperature": temperature,
        "threshold": fit_threshold(after, targets, coverage),
        "coverage": coverage,
        "calibration_error_before": errors[0],
        "calibration_error_after": errors[1],
    }, after


def _probabilities(scores: NDArray[np.float32], several: bool) -> NDArray[np.float32]:
    tensor = torch.from_numpy(np.asarray(scores, np.float32))
    return (tensor.sigmoid() if several else functional.softmax(tensor, dim=1)).numpy()


def tokenizer_of(path: Path, dataset: Dataset, job: Job, size: int, kind: Kind) -> Tokenizer:
    """Tokens learned from the training texts and the unlabeled ones, once: a resumed run reads the same file."""
    from tokenizers import Tokenizer

    from glassworks.data.text.dataset import further_texts

    if not path.exists():
        made = learn_tokenizer([*dataset.splits["train"].x.tolist(), *further_texts(job, dataset)], size, kind)
        write_atomically(path, made.to_str().encode())
    return Tokenizer.from_file(str(path))
