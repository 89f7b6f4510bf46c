"""The files of an index: `passages.json`, with memory-mapped arrays and the encoder's own files beside it.

passages.json   {"format": 1, "by": how passages are ranked, "arrays": {name: file}, "nearest": {...},
                 "graphs": {"encoder": the artifact of the encoder}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Artifact, Opened
from glassworks.recommendation.nearest import FILE as NEAREST_FILE, write_graph
from glassworks.retrieval.corpus import Corpus
from glassworks.retrieval.session import NEAREST, VECTORS
from glassworks.retrieval.words import Words
from glassworks.storage import linked

INDEX, FORMAT, ENCODER = "passages.json", 1, "encoder"
SMALLEST = 200_000
"""Up to so many passages every vector is compared, which is exact and fast enough."""
_ASKED = 200


@dataclass(frozen=True, kw_only=True)
class Index:
    """What is looked through: passages, their words and, where there is an encoder, their vectors (P D)."""

    corpus: Corpus
    words: Words
    by: str
    vectors: NDArray[np.float32] | None = None
    encoder: Opened | None = None


def write_index(index: Index, folder: Path, smallest: int | None = None) -> Artifact:
    """Write an index into `folder`."""
    arrays = {**index.corpus.arrays(), **index.words.arrays()}
    content: dict[str, Any] = {"format": FORMAT, "by": index.by}
    beside: list[str] = []
    if index.vectors is not None and index.encoder is not None:
        arrays[VECTORS] = index.vectors
        encoder = index.encoder.artifact
        beside += [encoder.file, *encoder.beside]
        for name in beside:
            linked(index.encoder.folder / name, folder / name)
        content["graphs"] = {ENCODER: encoder.model_dump(mode="json")}
        if len(index.vectors) > (SMALLEST if smallest is None else smallest):
            rows = np.unique(np.linspace(0, len(index.vectors) - 1, _ASKED).astype(np.int64))
            content[NEAREST] = write_graph(index.vectors, index.vectors[rows], folder, "passages")
            beside += [NEAREST_FILE] if content[NEAREST]["used"] else []
    content["arrays"] = {name: f"{name}.npy" for name in arrays}
    for name, values in arrays.items():
        np.save(folder / content["arrays"][name], np.ascontiguousarray(values), allow_pickle=False)
    (folder / INDEX).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    beside += content["arrays"].values()
    return Artifact(role="predict", format="arrays", file=INDEX, beside=tuple(beside), made_by="export")


def known(content: Mapping[str, Any]) -> bool:
    """Whether this version knows the form of an index file."""
    return content.get("format") == FORMAT
