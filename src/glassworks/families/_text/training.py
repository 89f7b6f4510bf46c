"""One training of a text classifier: what its steps share, how it begins, and what it leaves."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix
from torch import Tensor
from torch.nn import functional

from glassworks.catalog import get
from glassworks.config import Job
from glassworks.contracts import Dataset, Measurement, Model, Progress, Task
from glassworks.data.text.keys import TextData
from glassworks.families._text.ngrams import Bags, NgramTable, fit_ngrams
from glassworks.families._text.tokens import PADDING, TOKENIZER, UNKNOWN, Kind, TokenizedSplit, learn_tokenizer
from glassworks.storage import write_atomically
from glassworks.text.tokenization import signature
from glassworks.training.checkpoint import save_checkpoint, weights_sha256
from glassworks.training.classification import fit_temperature, fit_threshold
from glassworks.training.loop import STATE

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FINAL = "final.safetensors"
_CHUNK = 32
_REACH = 5
_SMOOTHING = 0.75
_SCALE = 0.3


@dataclass(frozen=True, kw_only=True)
class TextTraining:
    """A family adds its `[model]` table and what it begins with."""

    job: Job
    dataset: Dataset
    folder: Path
    progress: Progress
    started: float
    tokenizer: Tokenizer
    preprocessing: Mapping[str, Any]

    def ngrams(self, train: Bags, validation: Bags, most: int) -> NgramTable:
        """The linear classifier of at most so many n-grams, fitted."""
        self.progress.start("ngrams")
        labels, balanced = len(self.dataset.classes), self.job.training.class_weights == "balanced"
        found = fit_ngrams(train, validation, labels, most, balanced=balanced, progress=self.progress)
        self.progress.finish(f"{len(found.known):,} n-grams")
        return found

    def first_vectors(self, texts: TokenizedSplit, tokens: int, width: int) -> NDArray[np.float32]:
        """A vector (tokens x width) for each token by its neighbors, in the texts without a label too."""
        more = [np.array(each.ids, np.int64) for each in self.tokenizer.encode_batch(unlabeled(self.dataset, self.job))]
        return first_vectors([*texts.ids, *more], tokens, width, self.job.training.seed)

    def outcome(
        self,
        scores: NDArray[np.float32],
        targets: NDArray[np.int64],
        coverage: float,
        history: Sequence[Mapping[str, float]],
        *,
        resumed: bool,
    ) -> dict[str, Any]:
        """What is kept beside the weights: calibration and metrics by the scores of validation texts."""
        calibration, probabilities = calibrated(scores, targets, coverage)
        metrics = get(Task, "text-classification").measure(probabilities, targets)
        self.progress.finish(f"accuracy {metrics['accuracy'].value:.4f} on validation")
        return {
            "seconds": time.monotonic() - self.started,
            "resumed": resumed,
            "metrics": {name: value.model_dump(mode="json") for name, value in metrics.items()},
            "history": list(history),
            "preprocessing": {**self.preprocessing, **calibration},
        }

    def keep(self, network: torch.nn.Module, parts: Sequence[Any], values: Mapping[str, Any]) -> Model:
        """Write what a finished run is read from, remove the state of an interrupted one, and return the model."""
        save_checkpoint(self.folder / FINAL, network.state_dict(), values)
        (self.folder / STATE).unlink(missing_ok=True)
        return self.model(network, parts, values)

    def model(self, network: torch.nn.Module, parts: Sequence[Any], values: Mapping[str, Any]) -> Model:
        """The network and what its family exports beside it, with what was kept."""
        network.eval()
        return Model(
            family=self.job.family,
            network=(network, *parts),
            signature=signature(len(self.dataset.classes)),
            preprocessing=values["preprocessing"],
            weights_sha256=weights_sha256(network),
            metrics={name: Measurement.model_validate(value) for name, value in values["metrics"].items()},
            run=self.folder.name,
            resumed=bool(values["resumed"]),
            seconds=float(values["seconds"]),
            history=tuple(values["history"]),
        )


def tokenizer_of(folder: Path, dataset: Dataset, job: Job, size: int, kind: Kind, name: str = TOKENIZER) -> Tokenizer:
    """Tokens learned from the training texts and the unlabeled ones, once: a resumed run reads the same file."""
    from tokenizers import Tokenizer

    path = folder / name
    if not path.exists():
        made = learn_tokenizer([*dataset.splits["train"].x.tolist(), *unlabeled(dataset, job)], size, kind)
        write_atomically(path, made.to_str().encode())
    return Tokenizer.from_file(str(path))


def unlabeled(dataset: Dataset, job: Job) -> Sequence[str]:
    """The texts without a label that the job names."""
    if not TextData.of(job).unlabeled:
        return ()
    from glassworks.data.text.dataset import further_texts

    return further_texts(job, dataset)


def label_settings(dataset: Dataset) -> dict[str, Any]:
    """What the bundle says of labels, and of the columns in which further texts and labels stand."""
    return {
        "labels": list(dataset.classes),
        "several": dataset.splits["train"].y.ndim == 2,
        **dataset.preprocessing,
    }


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
    before, after = (_probabilities(scores / each, multi_label=targets.ndim == 2) for each in (1.0, temperature))
    errors = [task.measure(each, targets)["calibration_error"].value for each in (before, after)]
    return {
        "temperature": temperature,
        "threshold": fit_threshold(after, targets, coverage),
        "coverage": coverage,
        "calibration_error_before": errors[0],
        "calibration_error_after": errors[1],
    }, after


def _probabilities(scores: NDArray[np.float32], *, multi_label: bool) -> NDArray[np.float32]:
    tensor = torch.from_numpy(np.asarray(scores, np.float32))
    return (tensor.sigmoid() if multi_label else functional.softmax(tensor, dim=1)).numpy()


def first_vectors(lines: Sequence[NDArray[np.int64]], tokens: int, width: int, seed: int) -> NDArray[np.float32]:
    """Vectors (tokens x width): the singular vectors of positive pointwise mutual information with neighbors.

    Levy and Goldberg (2014): what skip-gram with negative sampling factorizes, in one pass. Neighbors count by the
    inverse of their distance, up to 5; contexts are smoothed by the power 0.75.
    """
    from sklearn.utils.extmath import randomized_svd

    counts = _neighbors(lines, tokens)
    total = np.asarray(counts.sum(axis=1)).ravel() + 1e-9
    context = np.asarray(counts.sum(axis=0)).ravel() ** _SMOOTHING
    pairs = counts.tocoo()
    information = np.log(pairs.data / (total[pairs.row] * context[pairs.col] / context.sum() + 1e-12))
    kept = information > 0
    matrix = csr_matrix((information[kept], (pairs.row[kept], pairs.col[kept])), shape=(tokens, tokens))
    rank = min(width, tokens - 1)
    left, strength, _ = randomized_svd(matrix, rank, random_state=seed)
    vectors = np.zeros((tokens, width), np.float32)
    vectors[:, :rank] = left * np.sqrt(strength)
    vectors *= _SCALE / max(float(vectors.std()), 1e-6)
    vectors[PADDING] = 0
    return vectors


def _neighbors(lines: Sequence[NDArray[np.int64]], tokens: int) -> csr_matrix:
    gap = np.full(_REACH, -1, np.int64)
    flat = np.concatenate([part for line in lines for part in (line, gap)])
    counts = csr_matrix((tokens, tokens), dtype=np.float64)
    for distance in range(1, _REACH + 1):
        left, right = flat[:-distance], flat[distance:]
        both = (left > UNKNOWN) & (right > UNKNOWN)
        weight = np.full(int(both.sum()), 1 / distance)
        counts = counts + coo_matrix((weight, (left[both], right[both])), shape=(tokens, tokens)).tocsr()
    return counts + counts.T
