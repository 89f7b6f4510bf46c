"""Trains the encoder: a pretrained one from a fitted head on, or a small one from nothing; the common loop."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from glassworks.config import Job
from glassworks.contracts import Dataset, Model, Progress
from glassworks.data.text.dataset import further_texts
from glassworks.families._text.encoder import (
    TOKENIZER,
    Backbone,
    find_backbone,
    load_encoder,
    own_reading,
    reading,
)
from glassworks.families._text.ngrams import (
    ORDERS,
    PIECES,
    WORDS,
    Floats,
    Pieces,
    clearly_better_share,
    linear_scores,
)
from glassworks.families._text.preparation import tokenizer_of
from glassworks.families._text.stage import FINAL, TextStage, answers
from glassworks.families._text.vocabulary import PADDING, first_vectors
from glassworks.families._text.windows import LEARNED_WINDOWS, Read, read
from glassworks.families.transformer_text import TransformerTextConfig
from glassworks.families.transformer_text.fine_tuning import Course, chosen_precision, learner, plan, scores_of
from glassworks.families.transformer_text.head import fit_head
from glassworks.families.transformer_text.narrowing import narrow
from glassworks.families.transformer_text.network import TransformerText, merged, small_encoder, with_lora
from glassworks.storage import write_atomically
from glassworks.text.ngrams import save_ngrams
from glassworks.text.tokenization import MOST_WINDOWS
from glassworks.training.checkpoint import load_checkpoint
from glassworks.training.classification import classification_loss, held_weights, weights_for
from glassworks.training.loop import fit
from glassworks.training.machine import choose_device, usable_cpus

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_WORDS = 12_000
"""Most different words whose pairs are pieces."""
_HEAD_TEXTS, _HEAD_TEXTS_A_LABEL = 4000, 100
"""Enough for a head that goes on learning."""
_NARROWED_BY = 1000
"""Texts by which the hidden units are judged."""
_LAYERS = 2
"""Of an encoder from nothing."""
_PIECES: Mapping[str, Any] = {"piece_orders": list(ORDERS), "piece_tokenizer": WORDS}


@dataclass(frozen=True, kw_only=True)
class _Stage(TextStage):
    """What all steps of one training share."""

    config: TransformerTextConfig
    backbone: Backbone | None


@dataclass(frozen=True)
class _Start:
    """Before tuning: scores of held texts (N K), none from nothing; seconds to keep for what follows the tuning."""

    scores: Floats = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    reserve_s: float = 0.0


def train(
    dataset: Dataset, job: Job, config: TransformerTextConfig, folder: Path, progress: Progress, started: float
) -> Model:
    """The trained network; a run that had ended already is read instead of trained again."""
    torch.set_num_threads(job.training.threads or usable_cpus())
    stage = _stage(dataset, job, config, folder, progress, started)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.training.seed)
        network = _network(stage)
        if (folder / FINAL).exists():
            tensors, values = load_checkpoint(folder / FINAL)
            network.restore(tensors)
            return stage.model(network, (stage.tokenizer, folder), {**values, "resumed": True})
        network, values = _fit(network, stage)
    return stage.keep(network, (stage.tokenizer, folder), values)


def _stage(
    dataset: Dataset, job: Job, config: TransformerTextConfig, folder: Path, progress: Progress, started: float
) -> _Stage:
    backbone = find_backbone(config.backbone) if config.backbone else None
    return _Stage(
        job=job,
        config=config,
        dataset=dataset,
        folder=folder,
        progress=progress,
        started=started,
        backbone=backbone,
        tokenizer=_tokenizer(dataset, job, config, backbone, folder),
        preprocessing=_preprocessing(dataset, job, config, backbone),
    )


def _tokenizer(
    dataset: Dataset, job: Job, config: TransformerTextConfig, backbone: Backbone | None, folder: Path
) -> Tokenizer:
    """The encoder's own, or one that is learned once; a resumed run reads the same one."""
    path = folder / TOKENIZER
    if backbone and not path.exists():
        write_atomically(path, backbone.tokenizer.to_str().encode())
    return tokenizer_of(path, dataset, job, config.vocabulary, "subwords")


def _preprocessing(
    dataset: Dataset, job: Job, config: TransformerTextConfig, backbone: Backbone | None
) -> dict[str, Any]:
    return {
        **(reading(backbone, config.max_tokens) if backbone else own_reading(config.max_tokens, PADDING)),
        **answers(dataset, job),
    }


def _network(stage: _Stage) -> TransformerText:
    """Before training, without LoRA."""
    config, labels = stage.config, len(stage.dataset.classes)
    if stage.backbone:
        encoder = load_encoder(stage.backbone, config.dropout, config.layers)
        width, first = int(encoder.config.hidden_size), stage.backbone.first
        first = first if config.pooling == "auto" else config.pooling == "first"
    else:
        tokens, most = stage.tokenizer.get_vocab_size(), int(stage.preprocessing["max_tokens"])
        encoder = small_encoder(tokens, config.width, config.layers or _LAYERS, config.heads, most, config.dropout)
        width, first = config.width, config.pooling == "first"
    network = TransformerText(encoder, width, labels, first=first, dropout=config.dropout)
    if config.narrow < 1:
        split = stage.dataset.splits["train"]
        rows = np.sort(np.random.default_rng(stage.job.training.seed).permutation(len(split))[:_NARROWED_BY])
        some = replace(split, x=split.x[rows], y=split.y[rows])
        texts = read(some, stage.folder, stage.preprocessing, 1)
        narrow(encoder, partial(scores_of, network, texts, pooled=True), config.narrow)
    return network


def _fit(network: TransformerText, stage: _Stage) -> tuple[TransformerText, dict[str, Any]]:
    """Train, calibrate, and return the network with what is kept beside its weights."""
    course, most = _course(stage), stage.config.pieces
    learning, held = course.learning, course.held
    pieces = stage.pieces(learning.bags, held.bags, most) if most else None
    network.to(choose_device(stage.job.training.device))
    history: list[Mapping[str, float]] = []
    resumed = False
    start = _Start()
    if stage.backbone:
        start = _start_head(network, course, stage, history)
    else:
        _first_meaning(network, course.learning, stage)
    scores = start.scores
    if stage.config.mode != "frozen":
        network, scores, more, resumed = _tune(network, course, stage, start)
        history += more
    network.to("cpu").eval()
    if pieces:
        scores, stage = _mixed(network, pieces, scores, course, stage)
    kept = stage.outcome(scores, held.targets, stage.config.coverage, history, resumed=resumed)
    return network, kept


def _mixed(
    network: TransformerText, pieces: Pieces, deep: Floats, course: Course, stage: _Stage
) -> tuple[Floats, _Stage]:
    """Scores with the pieces beside the network, where they clearly help; the bundle then tells its front of them."""
    held = course.held
    linear = linear_scores(pieces, held.bags)
    share = clearly_better_share(deep, linear, held.targets, held_weights(held.targets, course.weights))
    if share == 1:
        return deep, stage
    network.take(pieces)
    network.share.fill_(share)
    save_ngrams(stage.folder / PIECES, pieces.known)
    read_so = {**stage.preprocessing, **_PIECES, "pieces": PIECES, "share": share}
    read_so["inputs"] = {**read_so["inputs"], "pieces": "pieces"}
    both = network.together(torch.from_numpy(deep), torch.from_numpy(linear)).numpy()
    return both, replace(stage, preprocessing=read_so)


def _tune(
    network: TransformerText, course: Course, stage: _Stage, start: _Start
) -> tuple[TransformerText, Floats, list[Mapping[str, float]], bool]:
    """Through the common loop, and the scores of held texts; the start stays where training did not make it better."""
    device, kept = network.head.weight.device, _state(network) if len(start.scores) else {}
    if stage.config.mode == "lora":
        with_lora(network, stage.config.rank, stage.config.dropout)
        network.to(device)
    course = chosen_precision(network, course, stage.folder)
    result = fit(learner(network, course), plan(course, stage.started, start.reserve_s), stage.folder, stage.progress)
    network = merged(network)
    scores = scores_of(network, course.held)
    if kept and course.held_loss(scores) > course.held_loss(start.scores):
        network.load_state_dict(kept)
        scores = start.scores
    return network, scores, list(result.history), result.resumed


def _start_head(network: TransformerText, course: Course, stage: _Stage, history: list[Mapping[str, float]]) -> _Start:
    """Fit the head to the encoder as it is; to some of the texts where the whole of it learns from all of them next."""
    stage.progress.start("head")
    labels, texts = network.head.out_features, len(course.learning)
    most = texts if stage.config.mode == "frozen" else max(_HEAD_TEXTS, _HEAD_TEXTS_A_LABEL * labels)
    rows = np.sort(np.random.default_rng(stage.job.training.seed).permutation(texts)[:most])
    learning = course.learning.some(rows)
    features = torch.from_numpy(scores_of(network, learning, pooled=True))
    begin = time.monotonic()
    held = torch.from_numpy(scores_of(network, course.held, pooled=True))
    seconds = time.monotonic() - begin
    targets = torch.from_numpy(learning.targets)
    soft = course.soft[rows] if course.soft is not None else None

    def loss(scores: Tensor) -> Tensor:
        return classification_loss(scores, targets, soft, course.weights, 0.0)

    weight, bias = fit_head(features, loss, labels, held, course.held.targets, course.weights)
    with torch.no_grad():
        network.head.weight.copy_(weight)
        network.head.bias.copy_(bias)
        first, last = loss(torch.zeros(len(features), labels)), loss(features @ weight.T + bias)
    if stage.config.mode == "frozen":
        history += [{"epoch": 0.0, "step": 0.0, "loss": float(first)}, {"epoch": 1.0, "step": 1.0, "loss": float(last)}]
    stage.progress.finish(f"loss {float(last):.4f}")
    return _Start((held @ weight.T + bias).numpy(), 3 * seconds)


def _first_meaning(network: TransformerText, learning: Read, stage: _Stage) -> None:
    """Token vectors begin with what the company of each token says, as far as texts are there."""
    texts = further_texts(stage.job, stage.dataset)
    more = [np.array(each.ids, np.int64) for each in stage.tokenizer.encode_batch(texts)]
    table = network.encoder.get_input_embeddings().weight
    tokens, width = table.shape
    vectors = first_vectors([*learning.ids, *more], tokens, width, stage.job.training.seed)
    scale = float(table.detach().std()) / max(float(vectors.std()), 1e-6)
    with torch.no_grad():
        table.copy_(torch.from_numpy(vectors * scale))


def _course(stage: _Stage) -> Course:
    splits = stage.dataset.splits
    how = stage.preprocessing
    if stage.config.pieces:
        tokenizer_of(stage.folder / WORDS, stage.dataset, stage.job, _WORDS, "words")
        how = {**how, **_PIECES}
    targets, soft = torch.from_numpy(splits["train"].y), splits["train"].soft
    return Course(
        job=stage.job,
        learning=read(splits["train"], stage.folder, how, LEARNED_WINDOWS),
        held=read(splits["validation"], stage.folder, how, MOST_WINDOWS),
        soft=torch.from_numpy(soft) if soft is not None else None,
        weights=weights_for(stage.job, targets, len(stage.dataset.classes)),
        pretrained=stage.backbone is not None,
        lora=stage.config.mode == "lora",
    )


def _state(network: TransformerText) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}
