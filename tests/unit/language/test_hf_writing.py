"""Folders that are written are the model that was brought: transformers opens them and answers the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.language.test_gguf import write as write_gguf
from tests.unit.language.test_importing import add_tokenizer
from tests.unit.language.test_tokenizer import byte_level
from tests.unit.language.tiny_models import logits, tiny

from glassworks.errors import Unsupported
from glassworks.language.architecture import RopeScaling
from glassworks.language.hf_folder import HuggingFaceFolder
from glassworks.language.hf_writing import write_folder
from glassworks.language.importing import bring, write

IDS = [5, 9, 200, 33, 7]
LINEAR = {"rope_type": "linear", "factor": 2.0}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}


def opened_by_transformers(folder: Path) -> Any:
    import transformers

    opened: Any = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype="float32", local_files_only=True)
    return opened.eval()


@pytest.mark.parametrize("stored", ["F32", "Q8_0"])
def test_a_gguf_file(stored: str, tmp_path: Path) -> None:
    model = tiny("llama", vocab_size=330, intermediate_size=64)
    write_gguf(tmp_path / "m.gguf", model, "llama", stored)
    add_tokenizer(tmp_path / "m.gguf", byte_level())
    folder = tmp_path / "hf"
    folder.mkdir()
    brought = bring(tmp_path / "m.gguf", "here")
    names = write_folder(brought, folder)
    assert names[0] == "config.json"
    assert sorted(names) == sorted(path.name for path in folder.iterdir())
    written = HuggingFaceFolder(folder)
    for name, shape in brought.settings.architecture.weights():
        exact = brought.weight(name)
        np.testing.assert_array_equal(written.weight(name), exact.astype(np.float16) if len(shape) > 1 else exact)
    if stored == "F32":
        np.testing.assert_allclose(logits(opened_by_transformers(folder), [IDS]), logits(model, [IDS]), atol=1e-2)


@pytest.mark.parametrize("scaling", [None, LINEAR, LLAMA3], ids=["plain", "linear", "llama3"])
@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3"])
def test_every_kind_and_scaling(kind: str, scaling: dict[str, Any] | None, tmp_path: Path) -> None:
    settings = {"rope_parameters": {"rope_theta": 5000.0, **scaling}} if scaling else {}
    model = tiny(kind, vocab_size=330, tie_word_embeddings=kind == "qwen3", **settings)
    model.save_pretrained(tmp_path / "published")
    byte_level().save(str(tmp_path / "published" / "tokenizer.json"))
    folder = tmp_path / "hf"
    folder.mkdir()
    from_folder = bring(tmp_path / "published", "here")
    without = type(from_folder)(
        settings=from_folder.settings, tokenizer=from_folder.tokenizer, files=(), weight=from_folder.weight
    )
    write_folder(without, folder)
    np.testing.assert_allclose(logits(opened_by_transformers(folder), [IDS]), logits(model, [IDS]), atol=2e-2)
    architecture = HuggingFaceFolder(folder).architecture
    assert architecture == from_folder.settings.architecture
    assert isinstance(architecture.rope_scaling, RopeScaling) == bool(scaling)


def test_a_published_folder_keeps_its_files(tmp_path: Path) -> None:
    model = tiny("llama", vocab_size=330)
    model.save_pretrained(tmp_path / "published", max_shard_size="20KB")
    byte_level().save(str(tmp_path / "published" / "tokenizer.json"))
    folder = tmp_path / "hf"
    folder.mkdir()
    names = write_folder(bring(tmp_path / "published", "here"), folder)
    shards = [name for name in names if name.endswith(".safetensors")]
    assert len(shards) > 1
    for name in ("config.json", *shards):
        assert (folder / name).read_bytes() == (tmp_path / "published" / name).read_bytes()
    np.testing.assert_array_equal(logits(opened_by_transformers(folder), [IDS]), logits(model, [IDS]))


def test_a_graph_has_no_weights_to_write(tmp_path: Path) -> None:
    tiny("llama", vocab_size=330).save_pretrained(tmp_path / "published")
    byte_level().save(str(tmp_path / "published" / "tokenizer.json"))
    write(bring(tmp_path / "published", "here"), tmp_path / "published")
    folder = tmp_path / "hf"
    folder.mkdir()
    with pytest.raises(Unsupported, match="import the model from its Hugging Face folder"):
        write_folder(bring(tmp_path / "published", "here"), folder)
