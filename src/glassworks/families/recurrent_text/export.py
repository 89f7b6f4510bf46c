"""A trained network with its tokenizer as artifacts."""

from __future__ import annotations

import shutil
from pathlib import Path

from glassworks.contracts import Artifact, Model
from glassworks.families._text.ngrams import NGRAMS
from glassworks.families._text.tokens import TOKENIZER
from glassworks.families.recurrent_text.directions import Weights
from glassworks.families.recurrent_text.graphs import write_embed, write_gradient, write_predict


def export(model: Model, folder: Path) -> Artifact:
    """Write `predict.onnx` and the tokenizer."""
    network, tokenizer, ngrams = model.network
    shutil.copyfile(ngrams, folder / NGRAMS)
    write_predict(Weights(network), folder / "predict.onnx")
    (folder / TOKENIZER).write_text(tokenizer.to_str(), encoding="utf-8")
    return Artifact(role="predict", format="onnx", file="predict.onnx", beside=(TOKENIZER, NGRAMS), made_by="export")


def explanations(model: Model, folder: Path) -> tuple[Artifact, ...]:
    """Write `embed.onnx` and `gradient.onnx`."""
    weights = Weights(model.network[0])
    write_embed(weights, folder / "embed.onnx")
    write_gradient(weights, folder / "gradient.onnx")
    return tuple(
        Artifact(role=role, format="onnx", file=f"{role}.onnx", runtime="onnxruntime", made_by="export")
        for role in ("embed", "gradient")
    )
