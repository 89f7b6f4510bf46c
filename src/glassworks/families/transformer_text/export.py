"""A trained network with its tokenizer as artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from glassworks.contracts import Artifact, Differentiable, Model
from glassworks.families.transformer_text.network import Embedding, FromVectors, TransformerText
from glassworks.training.encoder import TOKENIZER
from glassworks.training.onnx_export import write_onnx

_EXAMPLE = (2, 7)


def export(model: Model, folder: Path) -> Artifact:
    """Write `predict.onnx`: ids (N T), mask (N T) -> scores (N K); and the tokenizer."""
    network, tokenizer = _parts(model)
    ids = torch.ones(_EXAMPLE, dtype=torch.int64)
    mask = torch.ones_like(ids)
    write_onnx(network, (ids, mask), folder / "predict.onnx", inputs=("ids", "mask"), outputs=("scores",), free=2)
    (folder / TOKENIZER).write_text(tokenizer.to_str(), encoding="utf-8")
    return Artifact(role="predict", format="onnx", file="predict.onnx", beside=(TOKENIZER,), made_by="export")


def embed(model: Model, folder: Path) -> Artifact:
    """Write `embed.onnx`: ids (N T) -> vectors (N T D)."""
    network, _ = _parts(model)
    ids = torch.ones(_EXAMPLE, dtype=torch.int64)
    write_onnx(Embedding(network), (ids,), folder / "embed.onnx", inputs=("ids",), outputs=("vectors",), free=2)
    return Artifact(role="embed", format="onnx", file="embed.onnx", runtime="onnxruntime", made_by="export")


def differentiable(model: Model) -> Differentiable:
    """Scores of token vectors; positions are added inside."""
    network, _ = _parts(model)
    with torch.no_grad():
        example = network.embed(torch.ones(_EXAMPLE, dtype=torch.int64))
    return Differentiable(network=FromVectors(network).eval(), example=example, free=2)


def _parts(model: Model) -> tuple[TransformerText, Any]:
    network, tokenizer = model.network
    network.eval().requires_grad_(requires_grad=False)
    return network, tokenizer
