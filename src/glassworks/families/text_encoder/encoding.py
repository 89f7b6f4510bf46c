"""The encoder with its pooling as one network; texts with what transformers makes of them; and the graph."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from glassworks.catalog import get
from glassworks.config import Job
from glassworks.contracts import (
    Artifact,
    Dataset,
    Model,
    Progress,
    Session,
    Signature,
    Split,
    Task,
    TensorSpec,
)
from glassworks.data.text.keys import TextData
from glassworks.data.text.reader import Columns, read_lines
from glassworks.errors import DataError
from glassworks.families._text.encoder import TOKENIZER, Backbone, find_backbone, load_encoder, pooled, reading
from glassworks.families.text_encoder.settings import TextEncoderConfig
from glassworks.onnx_graphs.export import write_onnx
from glassworks.text.embedding_session import VectorSession, signature
from glassworks.text.tokenization import Tokenization
from glassworks.training.checkpoint import weights_sha256

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors

_MEASURED = 256
"""Texts of each part: enough to tell engines apart, and read in seconds."""
_PARTS = ("train", "validation", "test")
_EXAMPLE = (2, 7)
_VECTOR = "vector"
"""The graph's output; the exporter takes `embedding` for itself."""


class Encoder(nn.Module):
    """Vectors (N D) of length 1 of tokens (N T) where `mask` (N T) is 1."""

    def __init__(self, encoder: Any, *, first: bool) -> None:
        super().__init__()
        self.encoder, self.first = encoder, first

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        return functional.normalize(pooled(states, mask, first=self.first).float())


class _Plain(Session):
    """The network in PyTorch as a session."""

    def __init__(self, network: Encoder) -> None:
        self._network = network
        width = int(network.encoder.config.hidden_size)
        self.signature = Signature(
            inputs=tuple(TensorSpec(name=name, datatype="INT64", shape=(-1, -1)) for name in ("ids", "mask")),
            outputs=(TensorSpec(name=_VECTOR, datatype="FP32", shape=(-1, width)),),
        )

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        ids, mask = (torch.from_numpy(np.asarray(tensors[name], np.int64)) for name in ("ids", "mask"))
        with torch.inference_mode():
            return {_VECTOR: self._network(ids, mask).numpy()}


def prepare(job: Job, config: TextEncoderConfig) -> Dataset:
    """At most 256 distinct texts a part, with the network's own vectors. Raises DataError with fewer than three."""
    texts = list(dict.fromkeys(read_lines(job.data.source, Columns.of(TextData.of(job)))))
    if len(texts) < len(_PARTS):
        raise DataError(
            f"'{job.data.source}' holds {len(texts)} distinct texts, three are needed",
            "give texts of the kind that will be sent: engines are measured on them",
        )
    order = np.random.default_rng(job.data.seed).permutation(len(texts))[: _MEASURED * len(_PARTS)]
    parts = {name: [texts[row] for row in order[number :: len(_PARTS)]] for number, name in enumerate(_PARTS)}
    network, folder, preprocessing = _opened(config.backbone, config.pooling, config.max_tokens, TextData.of(job).text)
    return Dataset(
        name=job.data.source,
        fingerprint=hashlib.sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest(),
        classes=(),
        splits={name: _split(network, folder, preprocessing, part) for name, part in parts.items()},
    )


def read(source: str, preprocessing: Mapping[str, Any]) -> Split:
    """The texts of another source, with the network's own vectors; the encoder must still be where it was."""
    texts = read_lines(source, Columns.of_bundle(preprocessing))
    made = _opened(preprocessing["backbone"], preprocessing["pooling"], preprocessing["max_tokens"], "")
    return _split(*made, texts)


def model_of(dataset: Dataset, job: Job, config: TextEncoderConfig, folder: Path, progress: Progress) -> Model:
    """Nothing is learned: what is measured is that the reference agrees with itself."""
    progress.start("train")
    network, source, preprocessing = _opened(config.backbone, config.pooling, config.max_tokens, TextData.of(job).text)
    wanted = dataset.splits["validation"].y
    progress.finish("nothing to learn: the encoder is taken as it is")
    return Model(
        family="text_encoder",
        network=(network, source),
        signature=signature(wanted.shape[1]),
        preprocessing=preprocessing,
        weights_sha256=weights_sha256(network),
        metrics=get(Task, "text-embedding").measure(wanted, wanted),
        run=folder.name,
        resumed=False,
        seconds=0.0,
    )


def export(model: Model, folder: Path) -> Artifact:
    """Write `predict.onnx`: ids (N T), mask (N T) -> vector (N D); and the tokenizer."""
    network, source = model.network
    ids = torch.ones(_EXAMPLE, dtype=torch.int64)
    path = folder / "predict.onnx"
    write_onnx(network, (ids, torch.ones_like(ids)), path, inputs=("ids", "mask"), outputs=(_VECTOR,), free=2)
    _write_tokenizer(source, folder)
    return Artifact(role="predict", format="onnx", file="predict.onnx", beside=(TOKENIZER,), made_by="export")


def _opened(
    source: str, pooling: str, most: int, column: str | tuple[str, ...]
) -> tuple[Encoder, Backbone, dict[str, Any]]:
    """The network, where it came from, and how texts are read."""
    found = find_backbone(source)
    first = found.first if pooling == "auto" else pooling == "first"
    network = Encoder(load_encoder(found, 0.0), first=first).eval().requires_grad_(requires_grad=False)
    about = {"backbone": source, "pooling": "first" if first else "mean", "column": column}
    return network, found, {**reading(found, most), **about}


def _split(network: Encoder, found: Backbone, preprocessing: Mapping[str, Any], texts: Sequence[str]) -> Split:
    x = np.empty(len(texts), object)
    x[:] = texts
    with tempfile.TemporaryDirectory() as folder:
        _write_tokenizer(found, Path(folder))
        session = VectorSession(_Plain(network), Tokenization(Path(folder), preprocessing))
        return Split(x=x, y=session.vectors(texts))


def _write_tokenizer(found: Backbone, folder: Path) -> None:
    (folder / TOKENIZER).write_text(found.tokenizer.to_str(), encoding="utf-8")
