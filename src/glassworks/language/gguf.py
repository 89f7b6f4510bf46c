"""GGUF files: what they say of a model, and their weights, dequantized exactly."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from glassworks.errors import InputError, Unsupported
from glassworks.language.architecture import KINDS, Architecture, Kind, RopeScaling
from glassworks.language.gguf_header import check_header

if TYPE_CHECKING:
    from gguf import GGUFReader

_PARTS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_WHOLE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
_MEND = "convert the model again, or take its file of another type, such as Q8_0 or F16"


class GgufFile:
    """An opened file. Raises InputError for one that is damaged, Unsupported for what cannot be read exactly."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = _open(path)
        self._tensors = {tensor.name: tensor for tensor in self._reader.tensors}
        self.architecture = self._architecture()
        _require_exact(self._tensors.values(), path)
        for name, shape in self.architecture.weights():
            self._require(name, shape)

    def field(self, name: str, default: Any = None) -> Any:
        """A value of the file's metadata."""
        found = self._reader.fields.get(name)
        return default if found is None else found.contents()

    @property
    def types(self) -> Mapping[str, int]:
        """Type of tensors -> how many weights are stored in it."""
        counts: dict[str, int] = {}
        for tensor in self._tensors.values():
            counts[tensor.tensor_type.name] = counts.get(tensor.tensor_type.name, 0) + int(tensor.n_elements)
        return counts

    def weight(self, name: str) -> NDArray[np.float32]:
        """A weight by its name in Hugging Face's files, as the file's numbers say, in float32."""
        from gguf import dequantize

        tensor = self._tensors[_stored_name(name)]
        values = dequantize(tensor.data, tensor.tensor_type).astype(np.float32, copy=False)
        if self.architecture.kind == "llama" and re.search(r"\.[qk]_proj\.", name):
            heads = self.architecture.heads if ".q_proj." in name else self.architecture.key_value_heads
            values = _unpermuted(values, heads)
        return values

    def _architecture(self) -> Architecture:
        kind = self.field("general.architecture", "")
        if kind not in KINDS:
            raise Unsupported(
                f"{self.path.name} holds a model of the architecture '{kind}'", f"architectures: {', '.join(KINDS)}"
            )
        heads, width = self._number(f"{kind}.attention.head_count"), self._number(f"{kind}.embedding_length")
        return Architecture(
            kind=cast("Kind", kind),
            layers=self._number(f"{kind}.block_count"),
            width=width,
            heads=heads,
            key_value_heads=self._number(f"{kind}.attention.head_count_kv", heads),
            head_width=self._number(f"{kind}.attention.key_length", width // max(heads, 1)),
            feed_forward=self._number(f"{kind}.feed_forward_length"),
            vocabulary=self._vocabulary(),
            context=self._number(f"{kind}.context_length"),
            rope_base=float(self.field(f"{kind}.rope.freq_base", 10000.0)),
            rope_scaling=self._rope_scaling(kind),
            norm_epsilon=float(self.field(f"{kind}.attention.layer_norm_rms_epsilon", 1e-5)),
            tied_embeddings="output.weight" not in self._tensors,
        )

    def _rope_scaling(self, kind: str) -> RopeScaling | None:
        if "rope_freqs.weight" in self._tensors:
            raise Unsupported(
                f"{self.path.name} scales its rotary positions by factors of its own (rope_freqs.weight)",
                "import the model from its Hugging Face folder instead",
            )
        scaling = self.field(f"{kind}.rope.scaling.type", "none")
        if scaling == "none":
            return None
        if scaling != "linear":
            raise Unsupported(f"{self.path.name} scales its rotary positions by '{scaling}'", "known: none, linear")
        return RopeScaling(kind="linear", factor=float(self.field(f"{kind}.rope.scaling.factor", 1.0)))

    def _vocabulary(self) -> int:
        embedding = self._tensors.get("token_embd.weight")
        if embedding is None:
            raise InputError(f"{self.path.name} has no tensor 'token_embd.weight'", _MEND)
        return int(embedding.shape[1])

    def _number(self, key: str, default: int | None = None) -> int:
        value = self.field(key, default)
        if not isinstance(value, int) or not 0 < value < _MOST:
            raise InputError(f"{self.path.name}: '{key}' is {value!r}, a number from 1 is expected", _MEND)
        return value

    def _require(self, name: str, shape: tuple[int, ...]) -> None:
        stored = _stored_name(name)
        tensor = self._tensors.get(stored)
        if tensor is None:
            raise InputError(f"{self.path.name} has no tensor '{stored}'", _MEND)
        found = tuple(int(size) for size in reversed(tensor.shape))
        if found != shape:
            raise InputError(f"{self.path.name}: '{stored}' has the shape {found}, {shape} is expected", _MEND)


_MOST = 2**24


def _open(path: Path) -> GGUFReader:
    from gguf import GGUFReader

    check_header(path)
    try:
        return GGUFReader(path)
    except Exception as error:  # noqa: BLE001 - the reader raises whatever broken numbers lead to
        raise InputError(f"{path.name} is no whole GGUF file: {error}", "download it again") from None


def _require_exact(tensors: Any, path: Path) -> None:
    for tensor in tensors:
        if not _is_exact(tensor.tensor_type):
            raise Unsupported(
                f"{path.name}: '{tensor.name}' is stored as {tensor.tensor_type.name}, which cannot be read exactly",
                "take the model's file of another type, such as Q8_0 or F16",
            )


@functools.cache
def _is_exact(kind: Any) -> bool:
    """Whether the library of the format's authors gives the stored numbers back."""
    from gguf import GGML_QUANT_SIZES, dequantize

    _, size = GGML_QUANT_SIZES[kind]
    try:
        dequantize(np.zeros((1, size), np.uint8), kind)
    except NotImplementedError:
        return False
    return True


def _stored_name(name: str) -> str:
    """The name in a GGUF file of a weight named as in Hugging Face's files."""
    stem, _, kind = name.rpartition(".")
    if stem in _WHOLE:
        return f"{_WHOLE[stem]}.{kind}"
    _, _, layer, part = stem.split(".", 3)
    return f"blk.{layer}.{_STORED[part]}.{kind}"


_STORED = {theirs: ours for ours, theirs in _PARTS.items()}


def _unpermuted(values: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rows in Hugging Face's order: GGUF interleaves the two halves of each head of Llama's queries and keys."""
    shape = values.shape
    halves = values.reshape(heads, shape[0] // heads // 2, 2, *shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(shape))
