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
from glassworks.families._text.encoder import (
    TOKENIZER,
    Backbone,
    find_backbone,
    load_encoder,
    reading,
    sentence_layers,
)
from glassworks.families._text.pooling import Sentence
from glassworks.families._text.trial import may_fill, refused, require_same_graph
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

    def __init__(self, encoder: Any, sentence: Sentence) -> None:
        super().__init__()
        self.encoder, self.sentence = encoder, sentence

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        return functional.normalize(self.sentence(states, mask).float())


class _Plain(Session):
    """The network in PyTorch as a session."""

    def __init__(self, network: Encoder) -> None:
        self._network = network
        width = network.sentence.width
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
    network, folder, preprocessing = _opened(config, TextData.of(job).text)
    return Dataset(
        name=job.data.source,
        fingerprint=hashlib.sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest(),
        classes=(),
        splits={name: _split(network, folder, preprocessing, part) for name, part in parts.items()},
    )


def read(source: str, preprocessing: Mapping[str, Any]) -> Split:
    """The texts of another source, with the network's own vectors; the encoder must still be where it was."""
    texts = read_lines(source, Columns.of_bundle(preprocessing))
    # Bundles of before keep but these three.
    older = {key: preprocessing.get(key) for key in ("backbone", "pooling", "max_tokens")}
    asked = preprocessing.get("asked") or {**older, "prompt": "", "long_texts": "windows"}
    return _split(*_opened(TextEncoderConfig.model_validate(asked), ""), texts)


def model_of(dataset: Dataset, job: Job, config: TextEncoderConfig, folder: Path, progress: Progress) -> Model:
    """Nothing is learned: what is measured is that the reference agrees with itself."""
    progress.start("train")
    network, source, preprocessing = _opened(config, TextData.of(job).text)
    wanted = dataset.splits["validation"].y
    progress.finish("; ".join(("nothing to learn: the encoder is taken as it is", *_notes(source, preprocessing))))
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
    try:
        write_onnx(network, (ids, torch.ones_like(ids)), path, inputs=("ids", "mask"), outputs=(_VECTOR,), free=2)
    except Exception as error:  # noqa: BLE001
        # The exporter raises what it likes, in pages.
        raise refused(source, "cannot be exported", error) from None
    _write_tokenizer(source, folder)
    made = Artifact(role="predict", format="onnx", file="predict.onnx", beside=(TOKENIZER,), made_by="export")
    filled, prompt = bool(model.preprocessing.get("padding", True)), network.sentence.pooling.skipped
    require_same_graph(network, made, folder, source, filled=filled, prompt=prompt)
    return made


def _opened(config: TextEncoderConfig, column: str | tuple[str, ...]) -> tuple[Encoder, Backbone, dict[str, Any]]:
    """The network, where it came from, and how texts are read."""
    found = find_backbone(config.backbone)
    how = reading(found, config.max_tokens, config.prompt)
    sentence = sentence_layers(found, config.pooling, how)
    network = Encoder(load_encoder(found, 0.0), sentence).eval().requires_grad_(requires_grad=False)
    if config.long_texts == "first" or (config.long_texts == "auto" and found.sentence.declared):
        how["windows"] = 1
    if not may_fill(network, found, int(how["max_tokens"]), sentence.pooling.skipped):
        how["padding"] = False
    about = {"pooling": list(sentence.pooling.ways), "column": column, "asked": config.model_dump(mode="json")}
    return network, found, {**how, **about}


def _notes(found: Backbone, how: Mapping[str, Any]) -> list[str]:
    """What users should know of how texts are read."""
    notes = [*found.notes, f"pooling: {', '.join(how['pooling'])}"]
    if how.get("windows") == 1:
        notes.append(f"of a longer text the first {how['max_tokens']} tokens are read (model.long_texts)")
    if how.get("prompt"):
        notes.append(f"before every text stands '{how['prompt'][:40]}'")
    elif prompts := [name for name, text in found.sentence.prompts.items() if text]:
        notes.append(f"no prompt is used, the folder has: {', '.join(prompts)} (model.prompt)")
    return notes


def _split(network: Encoder, found: Backbone, preprocessing: Mapping[str, Any], texts: Sequence[str]) -> Split:
    x = np.empty(len(texts), object)
    x[:] = texts
    with tempfile.TemporaryDirectory() as folder:
        _write_tokenizer(found, Path(folder))
        session = VectorSession(_Plain(network), Tokenization(Path(folder), preprocessing))
        return Split(x=x, y=session.vectors(texts))


def _write_tokenizer(found: Backbone, folder: Path) -> None:
    (folder / TOKENIZER).write_text(found.tokenizer.to_str(), encoding="utf-8")
