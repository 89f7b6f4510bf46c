"""A trained network with its tokenizer as artifacts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from glassworks.contracts import Artifact, Differentiable, Model
from glassworks.families._text.encoder import TOKENIZER
from glassworks.families._text.ngrams import NGRAMS, WORDS
from glassworks.families.transformer_text.network import Embedding, FromVectors, TransformerText
from glassworks.onnx_graphs.export import write_onnx

_EXAMPLE = (2, 7)


def export(model: Model, folder: Path) -> Artifact:
    """Write `predict.onnx`: ids (N T), mask (N T), n-grams (N M) where it has them -> scores (N K); and its tokens."""
    network, tokenizer, run = _parts(model)
    ids = torch.ones(_EXAMPLE, dtype=torch.int64)
    given = {"ids": ids, "mask": torch.ones_like(ids), **_ngrams(network)}
    example = tuple(given.values())
    write_onnx(network, example, folder / "predict.onnx", inputs=tuple(given), outputs=("scores",), free=2)
    (folder / TOKENIZER).write_text(tokenizer.to_str(), encoding="utf-8")
    beside = (WORDS, NGRAMS) if network.has_ngrams else ()
    for name in beside:
        shutil.copyfile(run / name, folder / name)
    return Artifact(role="predict", format="onnx", file="predict.onnx", beside=(TOKENIZER, *beside), made_by="export")


def embed(model: Model, folder: Path) -> Artifact:
    """Write `embed.onnx`: ids (N T) -> vectors (N T D), and n-grams (N M) -> says (N M K) where it has them."""
    network, *_ = _parts(model)
    given = {"ids": torch.ones(_EXAMPLE, dtype=torch.int64), **_ngrams(network)}
    outputs = ("vectors", "says") if network.has_ngrams else ("vectors",)
    example = tuple(given.values())
    write_onnx(Embedding(network), example, folder / "embed.onnx", inputs=tuple(given), outputs=outputs, free=2)
    return Artifact(role="embed", format="onnx", file="embed.onnx", runtime="onnxruntime", made_by="export")


def differentiable(model: Model) -> Differentiable:
    """Scores of token vectors; positions are added inside."""
    network, *_ = _parts(model)
    with torch.no_grad():
        example = network.embed(torch.ones(_EXAMPLE, dtype=torch.int64))
    if network.has_ngrams:
        example = torch.cat([example, torch.zeros(*_EXAMPLE, network.head.out_features)], dim=2)
    return Differentiable(network=FromVectors(network).eval(), example=example, free=2)


def _ngrams(network: TransformerText) -> dict[str, torch.Tensor]:
    """What stands for them in an example."""
    return {"pieces": torch.ones(_EXAMPLE[0], 5, dtype=torch.int64)} if network.has_ngrams else {}


def _parts(model: Model) -> tuple[TransformerText, Any, Path]:
    network, tokenizer, run = model.network
    network.eval().requires_grad_(requires_grad=False)
    return network, tokenizer, run
