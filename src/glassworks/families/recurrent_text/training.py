"""Trains the recurrent network: tokens and first vectors from the texts, n-grams beside it, the common loop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glassworks.config import Job
from glassworks.contracts import Dataset, Model, Progress
from glassworks.families._text.ngrams import NGRAMS, ORDERS, best_share, linear_scores
from glassworks.families._text.tokens import LEARNED_WINDOWS, PADDING, TOKENIZER, UNKNOWN, TokenizedSplit, tokenize
from glassworks.families._text.training import FINAL, TextTraining, label_settings, like_length, tokenizer_of
from glassworks.families._text.word_vectors import WordVectors, read_word_vectors
from glassworks.families.recurrent_text.network import RecurrentText, evaluate, loss_of, scores_of
from glassworks.families.recurrent_text.settings import RecurrentTextConfig
from glassworks.text.ngrams import save_ngrams
from glassworks.text.tokenization import MOST_WINDOWS
from glassworks.training.checkpoint import load_checkpoint
from glassworks.training.classification import stopping_metric, validation_weights, weights_for
from glassworks.training.loop import fit
from glassworks.training.plan import Learner, Plan, choose_device, cosine, usable_cpus
from glassworks.training.runs import forget_run

VECTORS = "vectors.sha256"
_OVERLAP = 16
_EPOCHS, _BATCH, _RATE, _VECTOR_RATE = 8, 64, 2e-3, 5e-4
_MIN_STEPS = 300


@dataclass(frozen=True, kw_only=True)
class _Training(TextTraining):
    """What all steps of one training share."""

    config: RecurrentTextConfig
    vectors: WordVectors | None


def train(
    dataset: Dataset, job: Job, config: RecurrentTextConfig, folder: Path, progress: Progress, started: float
) -> Model:
    """The trained network; a run that had ended already is read instead of trained again."""
    torch.set_num_threads(job.training.threads or usable_cpus())
    vectors = _word_vectors(config, folder)
    training = _Training(
        job=job,
        config=config,
        dataset=dataset,
        folder=folder,
        progress=progress,
        started=started,
        vectors=vectors,
        tokenizer=tokenizer_of(folder, dataset, job, config.vocabulary, config.tokens),
        preprocessing=_preprocessing(dataset, job, config, vectors),
    )
    network = _network(training)
    if (folder / FINAL).exists():
        tensors, values = load_checkpoint(folder / FINAL)
        network.restore(tensors)
        return training.model(network, (training.tokenizer, folder / NGRAMS), {**values, "resumed": True})
    return training.keep(network, (training.tokenizer, folder / NGRAMS), _fit(network, training))


def _word_vectors(config: RecurrentTextConfig, folder: Path) -> WordVectors | None:
    """Those of the job. What an interrupted run made of another file is removed: it would be another model."""
    if not config.vectors:
        return None
    vectors, record = read_word_vectors(config.vectors), folder / VECTORS
    if record.exists() and record.read_text(encoding="utf-8") != vectors.sha256:
        forget_run(folder)
    record.write_text(vectors.sha256, encoding="utf-8")
    return vectors


def _preprocessing(
    dataset: Dataset, job: Job, config: RecurrentTextConfig, vectors: WordVectors | None
) -> dict[str, Any]:
    return {
        "tokenizer": TOKENIZER,
        "inputs": {"ids": "ids", "lengths": "lengths", "pieces": "pieces"},
        "max_tokens": config.max_tokens,
        "overlap": min(_OVERLAP, config.max_tokens // 4),
        "max_windows": MOST_WINDOWS,
        "windows": config.windows,
        "pad": PADDING,
        "piece_orders": list(ORDERS),
        "pieces": NGRAMS,
        **label_settings(dataset),
        **({"vectors": {"source": config.vectors, "sha256": vectors.sha256}} if vectors else {}),
    }


def _network(training: _Training) -> RecurrentText:
    """Before training."""
    config, size = training.config, training.tokenizer.get_vocab_size()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.job.training.seed)
        labels = len(training.dataset.classes)
        width = config.width + (training.vectors.width if training.vectors else 0)
        return RecurrentText(size, width, config.hidden, labels, config.cell, config.dropout)


def _fit(network: RecurrentText, training: _Training) -> dict[str, Any]:
    """Train, calibrate, and return what is kept beside the weights."""
    job, splits, progress = training.job, training.dataset.splits, training.progress
    all_ngrams = {**training.preprocessing, "pieces": ""}
    texts = tokenize(splits["train"], training.folder, all_ngrams, LEARNED_WINDOWS, progress)
    validation = tokenize(splits["validation"], training.folder, all_ngrams, MOST_WINDOWS, progress)
    ngrams = training.ngrams(texts.bags, validation.bags, training.config.ngrams)
    save_ngrams(training.folder / NGRAMS, ngrams.known)
    _set_first_vectors(network, texts, training)
    network.to(choose_device(job.training.device))
    weights = weights_for(job, torch.from_numpy(texts.targets), len(training.dataset.classes))
    teacher = splits["train"].soft
    soft = torch.from_numpy(teacher) if teacher is not None else None
    learner = _learner(network, texts, soft, validation, weights, job)
    result = fit(learner, _plan(job, len(texts), training.started), training.folder, progress)
    network.to("cpu").eval()
    deep, linear = scores_of(network, validation), linear_scores(ngrams, validation.bags)
    share = best_share(deep, linear, validation.targets, validation_weights(validation.targets, weights))
    network.take(ngrams)
    network.share.fill_(share)
    together = network.together(torch.from_numpy(deep), torch.from_numpy(linear)).numpy()
    ended = replace(training, preprocessing={**training.preprocessing, "share": share})
    return ended.outcome(together, validation.targets, training.config.coverage, result.history, resumed=result.resumed)


def _set_first_vectors(network: RecurrentText, texts: TokenizedSplit, training: _Training) -> None:
    """Token vectors begin with what each token's neighbors say, and with vectors that were learned elsewhere."""
    training.progress.start("tokens")
    tokens = network.embedding.num_embeddings
    vectors = training.first_vectors(texts, tokens, training.config.width)
    if training.vectors:
        names = [training.tokenizer.id_to_token(number) or "" for number in range(tokens)]
        given = training.vectors.of(["" if number in (PADDING, UNKNOWN) else name for number, name in enumerate(names)])
        given *= float(vectors.std()) / max(float(given.std()), 1e-6)
        vectors = np.concatenate([vectors, given], axis=1)
    network.embedding.weight.data.copy_(torch.from_numpy(vectors))
    training.progress.finish(f"{tokens:,} tokens")


def _learner(
    network: RecurrentText,
    texts: TokenizedSplit,
    soft: Tensor | None,
    validation: TokenizedSplit,
    weights: Tensor | None,
    job: Job,
) -> Learner:
    """Texts of like length in one batch; token vectors, which begin with a meaning, change more slowly."""
    tokens = torch.from_numpy(texts.tokens)
    batch = _batch_size(job, len(texts))
    rate, vectors = job.training.learning_rate or _RATE, network.embedding.weight
    rest = [parameter for parameter in network.parameters() if parameter is not vectors]
    groups = [
        {"params": [vectors], "lr": rate * _VECTOR_RATE / _RATE, "weight_decay": 0.0},
        {"params": rest, "lr": rate, "weight_decay": 0.01},
    ]
    return Learner(
        network=network,
        optimizers=(torch.optim.AdamW(groups, fused=True),),
        examples=len(texts),
        loss=loss_of(network, texts, soft, weights),
        evaluate=lambda: evaluate(network, validation, weights),
        arrange=lambda order: like_length(order, tokens, batch),
    )


def _plan(job: Job, examples: int, started: float) -> Plan:
    """Few texts are read more often: at least 300 steps."""
    options, batch = job.training, _batch_size(job, examples)
    return Plan(
        epochs=options.epochs or max(_EPOCHS, -(-_MIN_STEPS * batch // examples)),
        batch_size=batch,
        schedule=cosine(warm_up=0.05),
        seed=options.seed,
        metric=stopping_metric("accuracy", job),
        budget_s=options.budget,
        started=started,
        average_tail=0.2,
        patience=options.patience,
        checkpoint_every_s=options.checkpoint_every,
    )


def _batch_size(job: Job, examples: int) -> int:
    return job.training.batch_size or (_BATCH if examples >= 2000 else 16)
