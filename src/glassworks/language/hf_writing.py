"""Folders in Hugging Face's layout, as engines that build the network themselves open them."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassworks.language.architecture import Architecture
from glassworks.language.hf_folder import CONFIG, class_of
from glassworks.language.settings import TOKENIZER
from glassworks.storage import linked

if TYPE_CHECKING:
    from glassworks.language.importing import Brought

_WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_TOKENIZER_CONFIG = "tokenizer_config.json"


def write_folder(brought: Brought, folder: Path) -> tuple[str, ...]:
    """Names of the files, `config.json` first. A folder as published keeps its settings and its files of weights, which
    are linked; of other files weights are written in float16, vectors in float32. Raises Unsupported for a graph.
    """
    if brought.config is not None:
        index = brought.config.with_name(_INDEX)
        published = (*brought.files, index) if index.exists() else brought.files
        for file in (brought.config, *published):
            linked(file.resolve(), folder / file.name)
        weights = tuple(file.name for file in published)
    else:
        _write_json(folder / CONFIG, config_of(brought.settings.architecture))
        write_weights(folder / _WEIGHTS, brought.settings.architecture, brought.weight)
        weights = (_WEIGHTS,)
    brought.tokenizer.save(str(folder / TOKENIZER))
    named = {name: token for name, token in brought.settings.special.items() if name in _NAMED}
    _write_json(folder / _TOKENIZER_CONFIG, {"tokenizer_class": "PreTrainedTokenizerFast", **named})
    return (CONFIG, *weights, TOKENIZER, _TOKENIZER_CONFIG)


_NAMED = ("bos_token", "eos_token", "pad_token", "unk_token")


def config_of(architecture: Architecture) -> dict[str, Any]:
    """What `config.json` says of a decoder."""
    a = architecture
    return {
        "architectures": [class_of(a.kind)],
        "model_type": a.kind,
        "hidden_act": "silu",
        "num_hidden_layers": a.layers,
        "hidden_size": a.width,
        "num_attention_heads": a.heads,
        "num_key_value_heads": a.key_value_heads,
        "head_dim": a.head_width,
        "intermediate_size": a.feed_forward,
        "vocab_size": a.vocabulary,
        "max_position_embeddings": a.context,
        "rope_theta": a.rope_base,
        "rope_scaling": _rope_scaling(a),
        "rms_norm_eps": a.norm_epsilon,
        "tie_word_embeddings": a.tied_embeddings,
        "dtype": "float16",
    }


def write_weights(path: Path, architecture: Architecture, weight: Callable[[str], NDArray[Any]]) -> None:
    """A file of safetensors, one weight in memory at a time; the format's own library wants all of them at once."""
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in architecture.weights():
        kind = _kind(shape)
        begin, end = end, end + math.prod(shape) * kind.itemsize
        entries[name] = {"dtype": f"F{8 * kind.itemsize}", "shape": shape, "data_offsets": (begin, end)}
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)
    with path.open("xb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for name, shape in architecture.weights():
            file.write(np.ascontiguousarray(weight(name), _kind(shape)).data)


def _kind(shape: tuple[int, ...]) -> np.dtype[Any]:
    return np.dtype("<f2" if len(shape) > 1 else "<f4")


def _rope_scaling(architecture: Architecture) -> dict[str, Any] | None:
    scaling = architecture.rope_scaling
    if scaling is None:
        return None
    if scaling.kind == "linear":
        return {"rope_type": "linear", "factor": scaling.factor}
    return {
        "rope_type": "llama3",
        "factor": scaling.factor,
        "low_freq_factor": scaling.low_frequency_factor,
        "high_freq_factor": scaling.high_frequency_factor,
        "original_max_position_embeddings": scaling.original_context,
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
