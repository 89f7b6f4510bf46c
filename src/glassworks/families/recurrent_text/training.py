"""Trains the recurrent network: tokens and first vectors from the texts, pieces beside it, the common loop."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glassworks.catalog import get
from glassworks.config import Job
from glassworks.contracts import Dataset, Measurement, Model, Progress, Task
from glassworks.errors import ConfigError
from glassworks.families.recurrent_text import RecurrentTextConfig
from glassworks.families.recurrent_text.export import PIECES, TOKENIZER
from glassworks.families.recurrent_text.network import RecurrentText
from glassworks.families.recurrent_text.pieces import fit_pieces
from glassworks.tasks.text_classification.front import TextFront, Window, padded
from glassworks.tasks.text_classification.pieces import known_pieces, save_pieces
from glassworks.tasks.text_classification.session import signature
from glassworks.training.calibration import fit_temperature, negative_log_likelihood
from glassworks.training.checkpoint import load_checkpoint, save_checkpoint, weights_sha256
from glassworks.training.loop import STATE, Learner, Plan, fit
from glassworks.training.machine import choose_device, usable_cpus
from glassworks.training.schedules import cosine
from glassworks.training.text import calibrated, class_weights, like_length, text_loss, unlabeled_texts
from glassworks.training.vocabulary import PADDING, UNKNOWN, first_vectors, learn_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FINAL = "final.safetensors"
_ORDERS = (1, 2, 3, 4)
_OVERLAP, _MOST_WINDOWS = 16, 64
_EPOCHS, _BATCH, _RATE, _VECTOR_RATE = 10, 64, 2e-3, 5e-4
_WORD_DROPOUT, _SMOOTHING = 0.25, 0.1
_SHARES = np.linspace(0.0, 1.0, 21)
_MIN_STEPS = 300


@dataclass(frozen=True)
class _Read:
    """A split as the network takes it: the first window of each text."""

    ids: list[NDArray[np.int64]]
    pieces: list[NDArray[np.int64]]
    targets: NDArray[np.int64]

    def batch(self, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        ids = [self.ids[row] for row in rows]
        return torch.from_numpy(padded(ids, PADDING)), torch.tensor([len(each) for each in ids])


def train(
    dataset: Dataset, job: Job, config: RecurrentTextConfig, folder: Path, progress: Progress, started: float
) -> Model:
    """The trained network; a run that had ended already is read instead of trained again."""
    if job.training.recipe != "default":
        raise ConfigError(
            f"job '{job.name}': 'training.recipe' is '{job.training.recipe}'", "recipes of recurrent_text: default"
        )
    torch.set_num_threads(job.training.threads or usable_cpus())
    tokenizer = _tokenizer(dataset, job, config, folder)
    preprocessing = _preprocessing(dataset, job, config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.training.seed)
        size, labels = tokenizer.get_vocab_size(), len(dataset.classes)
        network = RecurrentText(size, config.width, config.hidden, labels, config.cell, config.dropout)
    if (folder / FINAL).exists():
        tensors, values = load_checkpoint(folder / FINAL)
        network.says = tensors["says"]
        network.load_state_dict(tensors)
        return _model(network, tokenizer, dataset, folder, {**values, "resumed": True})
    splits = {name: _read(dataset, name, tokenizer, preprocessing) for name in ("train", "validation")}
    values = _fit(network, tokenizer, splits, dataset, job, config, folder, progress, started)
    values["preprocessing"] = {**preprocessing, **values["preprocessing"]}
    save_checkpoint(folder / FINAL, network.state_dict(), values)
    (folder / STATE).unlink(missing_ok=True)
    return _model(network, tokenizer, dataset, folder, values)


def _tokenizer(dataset: Dataset, job: Job, config: RecurrentTextConfig, folder: Path) -> Tokenizer:
    """Learned once; a resumed run reads the same one."""
    from tokenizers import Tokenizer

    path = folder / TOKENIZER
    if not path.exists():
        texts = [*dataset.splits["train"].x.tolist(), *unlabeled_texts(job)]
        made = learn_tokenizer(texts, config.vocabulary, config.tokens)
        path.write_text(made.to_str(), encoding="utf-8")
    return Tokenizer.from_file(str(path))


def _preprocessing(dataset: Dataset, job: Job, config: RecurrentTextConfig) -> dict[str, Any]:
    return {
        "tokenizer": TOKENIZER,
        "inputs": {"ids": "ids", "lengths": "lengths", "pieces": "pieces"},
        "max_tokens": config.max_tokens,
        "overlap": min(_OVERLAP, config.max_tokens // 4),
        "max_windows": _MOST_WINDOWS,
        "pad": PADDING,
        "piece_orders": list(_ORDERS),
        "pieces": PIECES,
        "labels": list(dataset.classes),
        "several": bool(job.data.separator),
        "columns": {"text": job.data.text, "label": job.data.label, "separator": job.data.separator},
    }


def _read(dataset: Dataset, name: str, tokenizer: Tokenizer, preprocessing: Mapping[str, Any]) -> _Read:
    split = dataset.splits[name]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / TOKENIZER).write_text(tokenizer.to_str(), encoding="utf-8")
        front = TextFront(Path(folder), {**preprocessing, "max_windows": 2**20, "pieces": ""})
    windows: list[Window] = [front.windows(text)[0] for text in split.x.tolist()]
    return _Read([window.ids for window in windows], [window.pieces for window in windows], split.y)


def _fit(
    network: RecurrentText,
    tokenizer: Tokenizer,
    splits: Mapping[str, _Read],
    dataset: Dataset,
    job: Job,
    config: RecurrentTextConfig,
    folder: Path,
    progress: Progress,
    started: float,
) -> dict[str, Any]:
    """Train, calibrate, and return what is kept beside the weights."""
    learning, held = splits["train"], splits["validation"]
    progress.start("pieces")
    pieces = fit_pieces(
        learning.pieces, learning.targets, held.pieces, held.targets, len(dataset.classes), config.pieces
    )
    save_pieces(folder / PIECES, pieces.known)
    network.says, network.bias = torch.from_numpy(pieces.says), torch.from_numpy(pieces.bias)
    more = [np.array(each.ids, np.int64) for each in tokenizer.encode_batch(unlabeled_texts(job))]
    lines = [*learning.ids, *more]
    vectors = first_vectors(lines, tokenizer.get_vocab_size(), config.width, job.training.seed)
    network.embedding.weight.data.copy_(torch.from_numpy(vectors))
    progress.finish(f"{tokenizer.get_vocab_size():,} tokens")
    device = choose_device(job.training.device)
    network.to(device)
    result = fit(
        _learner(network, learning, held, dataset, job, device),
        _plan(job, len(learning.ids), started),
        folder,
        progress,
    )
    network.to("cpu").eval()
    deep, linear = _deep(network, held), _linear(network, held, pieces.known)
    network.share.fill_(_best_share(deep, linear, held.targets))
    together = network.together(torch.from_numpy(deep), torch.from_numpy(linear)).numpy()
    calibration, probabilities = calibrated(together, held.targets, config.coverage)
    metrics = get(Task, "text-classification").measure(probabilities, held.targets)
    progress.finish(f"accuracy {metrics['accuracy'].value:.4f} on validation")
    return {
        "seconds": time.monotonic() - started,
        "resumed": result.resumed,
        "metrics": {name: value.model_dump(mode="json") for name, value in metrics.items()},
        "history": list(result.history),
        "preprocessing": calibration,
    }


def _learner(
    network: RecurrentText, learning: _Read, held: _Read, dataset: Dataset, job: Job, device: torch.device
) -> Learner:
    targets = torch.from_numpy(learning.targets)
    soft = dataset.splits["train"].soft
    wanted = torch.from_numpy(soft) if soft is not None else None
    balanced = job.training.class_weights == "balanced"
    weights = class_weights(targets, len(dataset.classes)) if balanced else None
    lengths = torch.tensor([len(each) for each in learning.ids])
    batch = _batch_size(job, len(learning.ids))

    def loss(rows: Tensor) -> Tensor:
        ids, count = learning.batch(rows.tolist())
        ids = torch.where((torch.rand(ids.shape) < _WORD_DROPOUT) & (ids != PADDING), UNKNOWN, ids)
        scores = network(ids.to(device), count)
        return text_loss(scores, targets[rows], wanted[rows] if wanted is not None else None, weights, _SMOOTHING)

    def evaluate() -> dict[str, float]:
        scores = _deep(network, held)
        found = (scores > 0) if held.targets.ndim == 2 else scores.argmax(axis=1)
        network.train()
        return {
            "accuracy": float(np.mean(found == held.targets)),
            "validation_loss": negative_log_likelihood(scores, held.targets),
        }

    rate = job.training.learning_rate or _RATE
    vectors = network.embedding.weight
    rest = [parameter for parameter in network.parameters() if parameter is not vectors]
    groups = [
        {"params": [vectors], "lr": rate * _VECTOR_RATE / _RATE, "weight_decay": 0.0},
        {"params": rest, "lr": rate, "weight_decay": 0.01},
    ]
    return Learner(
        network=network,
        optimizers=(torch.optim.AdamW(groups),),
        examples=len(learning.ids),
        loss=loss,
        evaluate=evaluate,
        arrange=lambda order: like_length(order, lengths, batch),
    )


def _batch_size(job: Job, examples: int) -> int:
    return job.training.batch_size or (_BATCH if examples >= 2000 else 16)


def _plan(job: Job, examples: int, started: float) -> Plan:
    options, batch = job.training, _batch_size(job, examples)
    return Plan(
        epochs=options.epochs or max(_EPOCHS, -(-_MIN_STEPS * batch // examples)),
        batch_size=batch,
        schedule=cosine(warm_up=0.05),
        seed=options.seed,
        metric="accuracy",
        budget_s=options.budget,
        started=started,
        average_tail=0.2,
        patience=options.patience,
        checkpoint_every_s=options.checkpoint_every,
    )


def _deep(network: RecurrentText, read: _Read) -> NDArray[np.float32]:
    """Scores (N K) of the network alone."""
    network.eval()
    device = network.embedding.weight.device
    found = np.zeros((len(read.ids), len(network.bias)), np.float32)
    order = np.argsort([len(each) for each in read.ids], kind="stable")
    with torch.inference_mode():
        for begin in range(0, len(order), 128):
            rows = order[begin : begin + 128]
            ids, count = read.batch(rows.tolist())
            found[rows] = network(ids.to(device), count).float().cpu().numpy()
    return found


def _linear(network: RecurrentText, read: _Read, known: NDArray[np.int64]) -> NDArray[np.float32]:
    rows = [known_pieces(each, known) for each in read.pieces]
    with torch.inference_mode():
        parts = [
            network.linear(torch.from_numpy(padded(rows[begin : begin + 128], 0))) for begin in range(0, len(rows), 128)
        ]
    return torch.cat(parts).numpy()


def _best_share(deep: NDArray[np.float32], linear: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
    """The network's part for which the log loss is least, each mixture at its own temperature."""
    losses = []
    for share in _SHARES:
        mixed = (share * deep + (1 - share) * linear).astype(np.float32)
        losses.append(negative_log_likelihood(mixed / fit_temperature(mixed, targets), targets))
    return float(_SHARES[int(np.argmin(losses))])


def _model(
    network: RecurrentText, tokenizer: Tokenizer, dataset: Dataset, folder: Path, values: Mapping[str, Any]
) -> Model:
    network.eval()
    return Model(
        family="recurrent_text",
        network=(network, tokenizer, folder / PIECES),
        signature=signature(len(dataset.classes)),
        preprocessing=values["preprocessing"],
        weights_sha256=weights_sha256(network),
        metrics={name: Measurement.model_validate(value) for name, value in values["metrics"].items()},
        run=folder.name,
        resumed=bool(values["resumed"]),
        seconds=float(values["seconds"]),
        history=tuple(values["history"]),
    )
