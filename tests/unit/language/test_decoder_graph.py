"""Graphs of decoders answer as transformers does: whole, with a cache, in a batch with padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino
import pytest
from numpy.typing import NDArray
from tests.unit.language.tiny_models import logits, tiny

from glassworks.language.decoder_graph import build
from glassworks.language.hf_folder import HuggingFaceFolder

LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {}),
    "llama, one table of embeddings": ("llama", {"tie_word_embeddings": True}),
    "llama, a key for each query": ("llama", {"num_key_value_heads": 4}),
    "llama, scaled as Llama 3.1": ("llama", {"rope_parameters": LLAMA3}),
    "llama, scaled evenly": ("llama", {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 3.0}}),
    "qwen2": ("qwen2", {}),
    "qwen3": ("qwen3", {"head_dim": 16}),
}
IDS = [[7, 3, 60, 12, 5, 1, 0, 44, 23, 9]]
EXACT = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """A model of transformers, and a request to the graph made of its folder."""
    kind, settings = VARIANTS[request.param]
    model, folder = tiny(kind, **settings), tmp_path_factory.mktemp("model")
    model.save_pretrained(folder)
    opened = HuggingFaceFolder(folder)
    graph = build(opened.architecture, opened.weight)
    compiled = openvino.Core().compile_model(graph, "CPU", EXACT)
    return model, compiled.create_infer_request()


def ask(request: Any, ids: list[list[int]], mask: NDArray[np.int64], past: int = 0) -> NDArray[np.float32]:
    """Logits of new tokens after `past` cached ones."""
    rows, length = np.array(ids).shape
    found: NDArray[np.float32] = request.infer(
        {
            "input_ids": np.array(ids),
            "attention_mask": mask,
            "position_ids": np.maximum(mask.cumsum(1) - 1, 0)[:, past : past + length],
            "beam_idx": np.arange(rows, dtype=np.int32),
        }
    )["logits"].copy()
    return found


def test_a_prompt_in_one_call(variant: tuple[Any, Any]) -> None:
    model, request = variant
    request.reset_state()
    found = ask(request, IDS, np.ones((1, len(IDS[0])), np.int64))
    np.testing.assert_allclose(found, logits(model, IDS), atol=2e-5)


def test_token_by_token_with_the_cache(variant: tuple[Any, Any]) -> None:
    model, request = variant
    request.reset_state()
    steps = [ask(request, [IDS[0][:4]], np.ones((1, 4), np.int64))]
    steps += [
        ask(request, [[IDS[0][past]]], np.ones((1, past + 1), np.int64), past=past) for past in range(4, len(IDS[0]))
    ]
    np.testing.assert_allclose(np.concatenate(steps, 1), logits(model, IDS), atol=2e-5)


def test_a_shorter_prompt_filled_up_on_the_left(variant: tuple[Any, Any]) -> None:
    model, request = variant
    request.reset_state()
    mask = np.ones((2, len(IDS[0])), np.int64)
    mask[1, :3] = 0
    found = ask(request, [IDS[0], [0, 0, 0, *IDS[0][3:]]], mask)
    np.testing.assert_allclose(found[0], logits(model, IDS)[0], atol=2e-5)
    np.testing.assert_allclose(found[1, 3:], logits(model, [IDS[0][3:]])[0], atol=2e-5)
