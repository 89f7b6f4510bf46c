"""Exports a small encoder of the same architecture before training: what cannot be exported is refused then."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from glassworks.config import Job
from glassworks.contracts import Artifact, Model, Progress
from glassworks.errors import GlassworksError
from glassworks.families._text.encoder import Backbone, find_backbone, reading, sentence_layers
from glassworks.families._text.encoder_kinds import KNOWN
from glassworks.families._text.training import FINAL
from glassworks.families._text.trial import (
    may_fill,
    memory,
    refused,
    require_same_gradient,
    require_same_graph,
    twin,
)
from glassworks.families.transformer_text.network import FromVectors, TransformerText
from glassworks.families.transformer_text.settings import TransformerTextConfig
from glassworks.storage import write_atomically
from glassworks.text.tokenization import signature

_LABELS = 2
_TOKENS = 11
"""Of the text whose gradient is compared: not as many as the exporter's example has."""


def rehearse(
    job: Job,
    config: TransformerTextConfig,
    folder: Path,
    progress: Progress,
    export: Callable[[Model, Path], tuple[Artifact, ...]],
) -> None:
    """Export a twin of the encoder with everything around it, and compare the graphs with it. Raises Unsupported."""
    found = find_backbone(config.backbone)
    _show(found.notes, progress)
    how = reading(found, config.max_tokens)
    done = memory(folder, found, {**how, "pooling": config.pooling})
    if found.config.model_type in KNOWN or done.exists() or (folder / FINAL).exists():
        return
    progress.start("encoder")
    network = TransformerText(twin(found), sentence_layers(found, config.pooling, how), _LABELS, dropout=0.0).eval()
    network.requires_grad_(requires_grad=False)
    work = folder / "rehearsal"
    work.mkdir(parents=True, exist_ok=True)
    try:
        _compare(network, found, work, export(_model(network, found, how, work), work))
    except GlassworksError:
        raise
    except Exception as error:  # noqa: BLE001
        # The exporter raises what it likes, in pages.
        raise refused(found, "cannot be exported", error) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    write_atomically(done, b"{}")
    progress.finish(f"{found.config.model_type} can be exported and explained")


def _show(notes: tuple[str, ...], progress: Progress) -> None:
    """What had to be mended in the encoder's folder."""
    if notes:
        progress.start("encoder")
        progress.finish("; ".join(notes))


def _compare(network: TransformerText, found: Backbone, folder: Path, artifacts: tuple[Artifact, ...]) -> None:
    """Raises Unsupported where a graph gives other numbers than the network."""
    by_role, prompt = {artifact.role: artifact for artifact in artifacts}, network.sentence.pooling.skipped
    filled = may_fill(network, found, _TOKENS + prompt, prompt)
    require_same_graph(network, by_role["predict"], folder, found, filled=filled, prompt=prompt)
    vectors = network.embed(torch.arange(_TOKENS + prompt)[None] + 1)
    require_same_gradient(FromVectors(network), vectors, by_role["gradient"], folder, found)


def _model(network: TransformerText, found: Backbone, how: Mapping[str, Any], folder: Path) -> Model:
    return Model(
        family="transformer_text",
        network=(network, found.tokenizer, folder),
        signature=signature(_LABELS),
        preprocessing=how,
        weights_sha256="",
        metrics={},
        run=folder.name,
        resumed=False,
        seconds=0.0,
    )
