"""Trains the recurrent network: tokens and first vectors from the texts, pieces beside it, the common loop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glassworks.config import Job
from glassworks.contracts import Dataset, Model, Progress
from glassworks.data.text.dataset import further_texts
from glassworks.families._text.ngrams import ORDERS, PIECES, best_share, linear_scores
from glassworks.families._text.preparation import tokenizer_of
from glassworks.families._text.stage import FINAL, TextStage, answers
from glassworks.families._text.vocabulary import PADDING, UNKNOWN, first_vectors
from glassworks.families._text.windows import LEARNED_WINDOWS, Read, read
from glassworks.families._text.word_vectors import WordVectors, read_word_vectors
from glassworks.families.recurrent_text import RecurrentTextConfig
from glassworks.families.recurrent_text.export import TOKENIZER
from glassworks.families.recurrent_text.learning import learner, plan, scores_of
from glassworks.families.recurrent_text.network import RecurrentText
from glassworks.text.ngrams import save_ngrams
from glassworks.text.tokenization import MOST_WINDOWS
from glassworks.training.checkpoint import load_checkpoint
from glassworks.training.classification import held_weights, weights_for
from glassworks.training.loop import fit
from glassworks.training.machine import choose_device, usable_cpus
from glassworks.training.runs import forget_run

VECTORS = "vectors.sha256"
_OVERLAP = 16


@dataclass(frozen=True, kw_only=True)
class _Stage(TextStage):
    """What all steps of one training share."""

    config: RecurrentTextConfig
    vectors: WordVectors | None


def train(
    dataset: Dataset, job: Job, config: RecurrentTextConfig, folder: Path, progress: Progress, started: float
) -> Model:
    """The trained network; a run that had ended already is read instead of trained again."""
    torch.set_num_threads(job.training.threads or usable_cpus())
    stage = _stage(dataset, job, config, folder, progress, started)
    network = _network(stage)
    if (folder / FINAL).exists():
        tensors, values = load_checkpoint(folder / FINAL)
        network.restore(tensors)
        return stage.model(network, (stage.tokenizer, stage.folder / PIECES), {**values, "resumed": True})
    values = _fit(network, stage)
    return stage.keep(network, (stage.tokenizer, stage.folder / PIECES), values)


def _stage(
    dataset: Dataset, job: Job, config: RecurrentTextConfig, folder: Path, progress: Progress, started: float
) -> _Stage:
    vectors = _vectors(config, folder)
    return _Stage(
        job=job,
        config=config,
        dataset=dataset,
        folder=folder,
        progress=progress,
        started=started,
        vectors=vectors,
        tokenizer=tokenizer_of(folder / TOKENIZER, dataset, job, config.vocabulary, config.tokens),
        preprocessing=_preprocessing(dataset, job, config) | _origin(config, vectors),
    )


def _vectors(config: RecurrentTextConfig, folder: Path) -> WordVectors | None:
    """Those of the job. What an interrupted run made of another file is forgotten: it would be another model."""
    if not config.vectors:
        return None
    vectors, record = read_word_vectors(config.vectors), folder / VECTORS
    if record.exists() and record.read_text(encoding="utf-8") != vectors.sha256:
        forget_run(folder)
    record.write_text(vectors.sha256, encoding="utf-8")
    return vectors


def _origin(config: RecurrentTextConfig, vectors: WordVectors | None) -> dict[str, Any]:
    """What the bundle says of the file."""
    return {"vectors": {"source": config.vectors, "sha256": vectors.sha256}} if vectors else {}


def _preprocessing(dataset: Dataset, job: Job, config: RecurrentTextConfig) -> dict[str, Any]:
    return {
        "tokenizer": TOKENIZER,
        "inputs": {"ids": "ids", "lengths": "lengths", "pieces": "pieces"},
        "max_tokens": config.max_tokens,
        "overlap": min(_OVERLAP, config.max_tokens // 4),
        "max_windows": MOST_WINDOWS,
        "windows": config.windows,
        "pad": PADDING,
        "piece_orders": list(ORDERS),
        "pieces": PIECES,
        **answers(dataset, job),
    }


def _network(stage: _Stage) -> RecurrentText:
    """Before training."""
    config, size = stage.config, stage.tokenizer.get_vocab_size()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stage.job.training.seed)
        labels = len(stage.dataset.classes)
        width = config.width + (stage.vectors.width if stage.vectors else 0)
        return RecurrentText(size, width, config.hidden, labels, config.cell, config.dropout)


def _fit(network: RecurrentText, stage: _Stage) -> dict[str, Any]:
    """Train, calibrate, and return what is kept beside the weights."""
    splits, how = stage.dataset.splits, {**stage.preprocessing, "pieces": ""}
    learning = read(splits["train"], stage.folder, how, LEARNED_WINDOWS)
    held = read(splits["validation"], stage.folder, how, MOST_WINDOWS)
    soft = splits["train"].soft
    pieces = stage.pieces(learning.bags, held.bags, stage.config.pieces)
    save_ngrams(stage.folder / PIECES, pieces.known)
    _first_meaning(network, learning, stage)
    network.to(choose_device(stage.job.training.device))
    weights = weights_for(stage.job, torch.from_numpy(learning.targets), len(stage.dataset.classes))
    result = fit(
        learner(network, learning, torch.from_numpy(soft) if soft is not None else None, held, weights, stage.job),
        plan(stage.job, len(learning), stage.started),
        stage.folder,
        stage.progress,
    )
    network.to("cpu").eval()
    deep, linear = scores_of(network, held), linear_scores(pieces, held.bags)
    share = best_share(deep, linear, held.targets, held_weights(held.targets, weights))
    network.take(pieces)
    network.share.fill_(share)
    together = network.together(torch.from_numpy(deep), torch.from_numpy(linear)).numpy()
    stage = replace(stage, preprocessing={**stage.preprocessing, "share": share})
    return stage.outcome(together, held.targets, stage.config.coverage, result.history, resumed=result.resumed)


def _first_meaning(network: RecurrentText, learning: Read, stage: _Stage) -> None:
    """Token vectors begin with what the company of each token says, and with what others have learned."""
    stage.progress.start("tokens")
    texts = further_texts(stage.job, stage.dataset)
    more = [np.array(each.ids, np.int64) for each in stage.tokenizer.encode_batch(texts)]
    tokens = network.embedding.num_embeddings
    vectors = first_vectors([*learning.ids, *more], tokens, stage.config.width, stage.job.training.seed)
    if stage.vectors:
        names = [stage.tokenizer.id_to_token(number) or "" for number in range(tokens)]
        given = stage.vectors.of(["" if number in (PADDING, UNKNOWN) else name for number, name in enumerate(names)])
        given *= float(vectors.std()) / max(float(given.std()), 1e-6)
        vectors = np.concatenate([vectors, given], axis=1)
    network.embedding.weight.data.copy_(torch.from_numpy(vectors))
    stage.progress.finish(f"{tokens:,} tokens")
