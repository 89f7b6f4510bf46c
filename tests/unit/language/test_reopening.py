"""A model that was released here is read again with the weights that its bundle keeps in full."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino
import pytest

from glassworks.contracts import Artifact, Opened
from glassworks.errors import Unsupported
from glassworks.families._language.synthetic import write_model
from glassworks.language.importing import bring, write
from glassworks.language.reopening import reopened
from glassworks.language.settings import GRAPH


def written(folder: Path, kind: str, **sizes: object) -> Opened:
    write_model(folder / "published", seed=0, kind=kind, **sizes)
    (folder / "fp16").mkdir()
    write(bring(folder / "published", "folder:published"), folder / "fp16", folder)
    artifact = Artifact(role="predict", format="decoder", file=f"fp16/{GRAPH}", made_by="export")
    return Opened(artifact=artifact, folder=folder)


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3"])
def test_every_weight_comes_back_as_it_was_written(tmp_path: Path, kind: str) -> None:
    again = reopened(written(tmp_path, kind, tied_embeddings=kind != "qwen2"), "registered:it@1")
    before = bring(tmp_path / "published", "folder:published")
    assert again.settings == before.settings.model_copy(update={"source": "registered:it@1"})
    assert again.tokenizer.to_str() == before.tokenizer.to_str()
    for name, shape in before.settings.architecture.weights():
        weight = before.weight(name)
        expected = weight.astype(np.float16) if len(shape) > 1 else weight
        np.testing.assert_array_equal(again.weight(name), expected)


def test_weights_that_are_not_kept_in_full_are_no_beginning(tmp_path: Path) -> None:
    opened = written(tmp_path, "llama")
    graph = openvino.Core().read_model(opened.path)
    node = next(node for node in graph.get_ops() if node.get_friendly_name() == "model.norm.weight")
    node.set_friendly_name("anything")
    other = tmp_path / "other" / GRAPH
    openvino.save_model(graph, other, compress_to_fp16=False)
    artifact = opened.artifact.model_copy(update={"file": f"other/{GRAPH}"})
    with pytest.raises(Unsupported, match=r"keeps no weight 'model\.norm\.weight' in full"):
        reopened(Opened(artifact=artifact, folder=tmp_path), "registered:it@1")
