"""Trains the encoder: a pretrained one from a fitted head on, or a small one from scratch; the common loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from glassworks.config import Job
from glassworks.contracts import Dataset, Model, Progress
from glassworks.families._text.encoder import (
    Backbone,
    find_backbone,
    load_encoder,
    own_reading,
    reading,
    sentence_layers,
)
from glassworks.families._text.ngrams import (
    NGRAMS,
    ORDERS,
    WORDS,
    Floats,
    NgramTable,
    clearly_better_share,
    linear_scores,
)
from glassworks.families._text.pooling import Pooling, Sentence
from glassworks.families._text.tokens import LEARNED_WINDOWS, PADDING, TOKENIZER, TokenizedSplit, tokenize
from glassworks.families._text.training import FINAL, TextTraining, label_settings, tokenizer_of
from glassworks.families._text.trial import may_fill, require_vectors
from glassworks.families.transformer_text.fine_tuning import Course, chosen_precision, learner, plan, scores_of
from glassworks.families.transformer_text.head import Start, start_head
from glassworks.families.transformer_text.narrowing import narrow
from glassworks.families.transformer_text.network import TransformerText, merged, small_encoder, with_lora
from glassworks.families.transformer_text.settings import TransformerTextConfig
from glassworks.storage import write_atomically
from glassworks.text.ngrams import save_ngrams
from glassworks.text.tokenization import MOST_WINDOWS
from glassworks.training.checkpoint import load_checkpoint
from glassworks.training.classification import validation_weights, weights_for
from glassworks.training.loop import fit
from glassworks.training.plan import choose_device, usable_cpus

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_WORDS = 12_000
"""Most different words whose pairs are n-grams."""
_NARROWED_BY = 1000
"""Texts by which the hidden units are evaluated."""
_LAYERS, _WINDOW = 2, 256
"""Layers and tokens of a window of an encoder from scratch."""
_NGRAMS: Mapping[str, Any] = {"piece_orders": list(ORDERS), "piece_tokenizer": WORDS}


@dataclass(frozen=True, kw_only=True)
class _Training(TextTraining):
    """What all steps of one training share."""

    config: TransformerTextConfig
    backbone: Backbone | None


def train(
    dataset: Dataset, job: Job, config: TransformerTextConfig, folder: Path, progress: Progress, started: float
) -> Model:
    """The trained network; a run that had ended already is read instead of trained again."""
    torch.set_num_threads(job.training.threads or usable_cpus())
    backbone = find_backbone(config.backbone) if config.backbone else None
    how = reading(backbone, config.max_tokens) if backbone else own_reading(config.max_tokens or _WINDOW, PADDING)
    training = _Training(
        job=job,
        config=config,
        dataset=dataset,
        folder=folder,
        progress=progress,
        started=started,
        backbone=backbone,
        tokenizer=_tokenizer(dataset, job, config, backbone, folder),
        preprocessing={**how, **label_settings(dataset)},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.training.seed)
        network, filled = _network(training)
        training = replace(training, preprocessing={**training.preprocessing, **({} if filled else {"padding": False})})
        if (folder / FINAL).exists():
            tensors, values = load_checkpoint(folder / FINAL)
            network.restore(tensors)
            return training.model(network, (training.tokenizer, folder), {**values, "resumed": True})
        network, values = _fit(network, training)
    return training.keep(network, (training.tokenizer, folder), values)


def _tokenizer(
    dataset: Dataset, job: Job, config: TransformerTextConfig, backbone: Backbone | None, folder: Path
) -> Tokenizer:
    """The encoder's own, or one that is learned once; a resumed run reads the same one."""
    path = folder / TOKENIZER
    if backbone and not path.exists():
        write_atomically(path, backbone.tokenizer.to_str().encode())
    return tokenizer_of(folder, dataset, job, config.vocabulary, "subwords")


def _network(training: _Training) -> tuple[TransformerText, bool]:
    """Before training, without LoRA; and whether it gives a text the same scores where its row is filled up."""
    config, labels, filled = training.config, len(training.dataset.classes), True
    how = training.preprocessing
    if training.backbone:
        encoder = load_encoder(training.backbone, config.dropout, config.layers)
        network = TransformerText(encoder, _sentence(training), labels, dropout=config.dropout)
        filled = _tried(network, training.backbone, int(how["max_tokens"]))
    else:
        tokens, most = training.tokenizer.get_vocab_size(), int(how["max_tokens"])
        encoder = small_encoder(tokens, config.width, config.layers or _LAYERS, config.heads, most, config.dropout)
        network = TransformerText(encoder, _sentence(training), labels, dropout=config.dropout)
    if config.narrow < 1:
        split = training.dataset.splits["train"]
        rows = np.sort(np.random.default_rng(training.job.training.seed).permutation(len(split))[:_NARROWED_BY])
        some = replace(split, x=split.x[rows], y=split.y[rows])
        texts = tokenize(some, training.folder, training.preprocessing, 1, training.progress)
        narrow(encoder, partial(scores_of, network, texts, pooled=True), config.narrow)
    return network, filled


def _sentence(training: _Training) -> Sentence:
    config = training.config
    if training.backbone:
        return sentence_layers(training.backbone, config.pooling, training.preprocessing)
    return Sentence(Pooling(["mean" if config.pooling == "auto" else config.pooling]), [], config.width)


def _tried(network: TransformerText, found: Backbone, most: int) -> bool:
    """Raises Unsupported for an encoder that cannot be used as this family uses it."""
    network.eval()

    def by_ids(ids: Tensor, mask: Tensor) -> Tensor:
        states: Tensor = network.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        return states

    def by_vectors(ids: Tensor, mask: Tensor) -> Tensor:
        states: Tensor = network.encoder(inputs_embeds=network.embed(ids), attention_mask=mask).last_hidden_state
        return states

    require_vectors(by_ids, by_vectors, found)
    filled = may_fill(
        lambda ids, mask: network.pool(network.embed(ids), mask), found, most, network.sentence.pooling.skipped
    )
    network.train()
    return filled


def _fit(network: TransformerText, training: _Training) -> tuple[TransformerText, dict[str, Any]]:
    """Train, calibrate, and return the network with what is kept beside its weights."""
    course, most = _course(training), training.config.ngrams
    learning, validation = course.learning, course.validation
    ngrams = training.ngrams(learning.bags, validation.bags, most) if most else None
    network.to(choose_device(training.job.training.device))
    start, resumed = Start(), False
    if training.backbone:
        start = start_head(network, course, training.progress, frozen=training.config.mode == "frozen")
    else:
        _set_first_vectors(network, course.learning, training)
    scores, history = start.scores, list(start.history)
    if training.config.mode != "frozen":
        network, scores, more, resumed = _tune(network, course, training, start)
        history += more
    network.to("cpu").eval()
    if ngrams:
        scores, training = _mixed(network, ngrams, scores, course, training)
    kept = training.outcome(scores, validation.targets, training.config.coverage, history, resumed=resumed)
    return network, kept


def _mixed(
    network: TransformerText, ngrams: NgramTable, deep: Floats, course: Course, training: _Training
) -> tuple[Floats, _Training]:
    """Scores with the n-grams beside the network, where they clearly help; the bundle then describes them."""
    validation = course.validation
    linear = linear_scores(ngrams, validation.bags)
    share = clearly_better_share(
        deep, linear, validation.targets, validation_weights(validation.targets, course.weights)
    )
    if share == 1:
        return deep, training
    network.take(ngrams)
    network.share.fill_(share)
    save_ngrams(training.folder / NGRAMS, ngrams.known)
    how = {**training.preprocessing, **_NGRAMS, "pieces": NGRAMS, "share": share}
    how["inputs"] = {**how["inputs"], "pieces": "pieces"}
    both = network.together(torch.from_numpy(deep), torch.from_numpy(linear)).numpy()
    return both, replace(training, preprocessing=how)


def _tune(
    network: TransformerText, course: Course, training: _Training, start: Start
) -> tuple[TransformerText, Floats, list[Mapping[str, float]], bool]:
    """Through the common loop, and the scores of validation texts; the start stays where training made it no better."""
    device, kept = network.head.weight.device, _state(network) if len(start.scores) else {}
    if training.config.mode == "lora":
        with_lora(network, training.config.rank, training.config.dropout)
        network.to(device)
    course = chosen_precision(network, course, training.folder)
    result = fit(
        learner(network, course), plan(course, training.started, start.reserve_s), training.folder, training.progress
    )
    network = merged(network)
    scores = scores_of(network, course.validation)
    if kept and course.validation_loss(scores) > course.validation_loss(start.scores):
        network.load_state_dict(kept)
        scores = start.scores
    return network, scores, list(result.history), result.resumed


def _set_first_vectors(network: TransformerText, texts: TokenizedSplit, training: _Training) -> None:
    """Token vectors begin with what each token's neighbors say, as far as there are texts."""
    table = network.encoder.get_input_embeddings().weight
    vectors = training.first_vectors(texts, *table.shape)
    scale = float(table.detach().std()) / max(float(vectors.std()), 1e-6)
    with torch.no_grad():
        table.copy_(torch.from_numpy(vectors * scale))


def _course(training: _Training) -> Course:
    splits = training.dataset.splits
    how = training.preprocessing
    if training.config.ngrams:
        tokenizer_of(training.folder, training.dataset, training.job, _WORDS, "words", name=WORDS)
        how = {**how, **_NGRAMS}
    targets, soft = torch.from_numpy(splits["train"].y), splits["train"].soft
    return Course(
        job=training.job,
        learning=tokenize(splits["train"], training.folder, how, LEARNED_WINDOWS, training.progress),
        validation=tokenize(splits["validation"], training.folder, how, MOST_WINDOWS, training.progress),
        soft=torch.from_numpy(soft) if soft is not None else None,
        weights=weights_for(training.job, targets, len(training.dataset.classes)),
        pretrained=training.backbone is not None,
        lora=training.config.mode == "lora",
    )


def _state(network: TransformerText) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}
