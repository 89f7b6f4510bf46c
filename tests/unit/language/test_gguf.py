"""GGUF files give the weights that were written, and broken ones are refused in two lines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gguf
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.language.tiny_models import tiny

from glassworks.errors import GlassworksError
from glassworks.language.architecture import Architecture
from glassworks.language.gguf import GgufFile

NAMES = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
PARTS = {
    **{f"self_attn.{part}_proj": f"attn_{part}" for part in "qkv"},
    **{f"mlp.{part}_proj": f"ffn_{part}" for part in ("gate", "up", "down")},
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def stored_name(name: str) -> str:
    """A weight's name as llama.cpp's converter writes it."""
    stem, _, kind = name.rpartition(".")
    if stem in NAMES:
        return f"{NAMES[stem]}.{kind}"
    _, _, layer, part = stem.split(".", 3)
    return f"blk.{layer}.{PARTS[part]}.{kind}"


def interleaved(values: NDArray[Any], heads: int) -> NDArray[Any]:
    """Llama's queries and keys as llama.cpp's converter orders them."""
    shape = values.shape
    return np.ascontiguousarray(
        values.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)
    )


def write(
    path: Path, model: Any, kind: str, stored: str = "F32", fields: Mapping[str, int] = MappingProxyType({})
) -> None:
    """The model as a GGUF file; products in the type `stored`. `fields` override what the file says."""
    config, writer = model.config, gguf.GGUFWriter(path, kind)
    numbers = {
        "block_count": config.num_hidden_layers,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.intermediate_size,
        "context_length": config.max_position_embeddings,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.key_length": config.head_dim if hasattr(config, "head_dim") else 8,
        **fields,
    }
    for name, value in numbers.items():
        writer.add_uint32(f"{kind}.{name}", value)
    writer.add_float32(f"{kind}.attention.layer_norm_rms_epsilon", config.rms_norm_eps)
    writer.add_float32(f"{kind}.rope.freq_base", 10000.0)
    for name, tensor in model.state_dict().items():
        values = tensor.numpy()
        if kind == "llama" and name.endswith(("q_proj.weight", "k_proj.weight")):
            values = interleaved(values, 4 if ".q_proj." in name else 2)
        if values.ndim == 1 or stored == "F32":
            writer.add_tensor(stored_name(name), values)
        else:
            quantized = gguf.GGMLQuantizationType[stored]
            writer.add_tensor(stored_name(name), gguf.quantize(values, quantized), raw_dtype=quantized)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3"])
def test_weights_come_back_under_their_names_and_in_their_order(kind: str, tmp_path: Path) -> None:
    model = tiny(kind)
    write(tmp_path / "m.gguf", model, kind)
    opened = GgufFile(tmp_path / "m.gguf")
    weights = model.state_dict()
    assert {name for name, _ in opened.architecture.weights()} == set(weights)
    for name, tensor in weights.items():
        np.testing.assert_array_equal(opened.weight(name), tensor.numpy(), err_msg=name)


def test_the_architecture_is_that_of_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "m.gguf", tiny("llama"), "llama")
    assert GgufFile(tmp_path / "m.gguf").architecture == Architecture(
        kind="llama",
        layers=2,
        width=32,
        heads=4,
        key_value_heads=2,
        head_width=8,
        feed_forward=48,
        vocabulary=61,
        context=64,
        rope_base=10000.0,
        norm_epsilon=float(np.float32(1e-6)),
        tied_embeddings=False,
    )


@pytest.mark.parametrize("stored", ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"])
def test_what_is_stored_is_what_is_read(stored: str, tmp_path: Path) -> None:
    model = tiny("qwen2", intermediate_size=64)
    write(tmp_path / "m.gguf", model, "qwen2", stored)
    opened, kind = GgufFile(tmp_path / "m.gguf"), gguf.GGMLQuantizationType[stored]
    name = "model.layers.1.mlp.down_proj.weight"
    expected = gguf.dequantize(gguf.quantize(model.state_dict()[name].numpy(), kind), kind)
    np.testing.assert_array_equal(opened.weight(name), expected)
    assert opened.types[stored] > opened.types["F32"]


def refusal(path: Path) -> str:
    """What is said of a file that is refused; nothing else may be raised."""
    with pytest.raises(GlassworksError) as refused:
        GgufFile(path)
    return refused.value.problem


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"block_count": 3}, "has no tensor 'blk.2.attn_norm.weight'"),
        ({"block_count": 0}, "'llama.block_count' is 0"),
        ({"block_count": 2**31}, "'llama.block_count' is 2147483648"),
        ({"feed_forward_length": 50}, "has the shape (48, 32), (50, 32) is expected"),
        ({"attention.head_count": 3}, "shape"),
        ({"embedding_length": 2**23}, "shape"),
    ],
)
def test_numbers_that_lie_are_refused(fields: dict[str, int], problem: str, tmp_path: Path) -> None:
    write(tmp_path / "m.gguf", tiny("llama"), "llama", fields=fields)
    assert problem in refusal(tmp_path / "m.gguf")


def test_an_unknown_architecture_and_an_inexact_type_are_named(tmp_path: Path) -> None:
    write(tmp_path / "m.gguf", tiny("llama"), "llama")
    content = (tmp_path / "m.gguf").read_bytes()
    (tmp_path / "other.gguf").write_bytes(content.replace(b"llama", b"mamba"))
    assert "of the architecture 'mamba'" in refusal(tmp_path / "other.gguf")


@pytest.mark.parametrize("kept", [0, 3, 8, 24, 100, 400, 2000, 20_000])
def test_a_file_that_was_cut_short_is_refused(kept: int, tmp_path: Path) -> None:
    write(tmp_path / "m.gguf", tiny("llama"), "llama")
    (tmp_path / "m.gguf").write_bytes((tmp_path / "m.gguf").read_bytes()[:kept])
    assert "no whole GGUF file" in refusal(tmp_path / "m.gguf")


def test_random_damage_ends_in_two_lines(tmp_path: Path) -> None:
    write(tmp_path / "m.gguf", tiny("llama"), "llama")
    content, random = np.fromfile(tmp_path / "m.gguf", np.uint8), np.random.default_rng(0)
    refused = 0
    for _ in range(200):
        broken = content.copy()
        broken[random.integers(0, 2400, 4)] = random.integers(0, 256, 4)
        broken.tofile(tmp_path / "broken.gguf")
        try:
            GgufFile(tmp_path / "broken.gguf")
        except GlassworksError as error:
            refused += 1
            assert len(str(error).split("\n")) == 2
    assert refused > 100
