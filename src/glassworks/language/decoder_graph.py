"""A decoder as an OpenVINO graph with a cache of keys and values, built from its weights.

Inputs: `input_ids` (N T), `attention_mask` (N S, S counts the cached tokens too), `position_ids` (N T), all int64, and
`beam_idx` (N int32: whose cached rows each row goes on from). Output: `logits` (N T V). Products are named as
transformers' modules, so that adapters of low rank find them; weights as in Hugging Face's files, by which they are
read again.
The shape of attention is the one that OpenVINO's continuous batching recognizes (SDPAToPagedAttention).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset6, opset13 as op

from glassworks.errors import InputError
from glassworks.language.architecture import Architecture, RopeScaling

if TYPE_CHECKING:
    Weight = Callable[[str], NDArray[Any]]
    """A weight by its name, in float32 or float16, of the shape that the architecture says."""


def build(architecture: Architecture, weight: Weight) -> ov.Model:
    """The graph; each weight is asked for once."""
    return _Builder(architecture, weight).model()


def rope_frequencies(architecture: Architecture) -> NDArray[np.float32]:
    """Angular frequencies (half of `head_width`) of rotary positions (Su et al. 2021, equation 15), scaled."""
    half = np.arange(0, architecture.head_width, 2, dtype=np.float64)
    frequencies = 1.0 / architecture.rope_base ** (half / architecture.head_width)
    return _scaled(frequencies, architecture.rope_scaling).astype(np.float32)


def _scaled(frequencies: NDArray[np.float64], scaling: RopeScaling | None) -> NDArray[np.float64]:
    if scaling is None:
        return frequencies
    if scaling.kind == "linear":
        return frequencies / scaling.factor
    wavelengths = 2 * math.pi / frequencies
    low, high = scaling.low_frequency_factor, scaling.high_frequency_factor
    smooth = np.clip((scaling.original_context / wavelengths - low) / (high - low), 0, 1)
    return (1 - smooth) * frequencies / scaling.factor + smooth * frequencies


class _Builder:
    def __init__(self, architecture: Architecture, weight: Weight) -> None:
        self._a, self._weight = architecture, weight
        self._sinks: list[Any] = []
        self._ids, self._mask, self._positions = (integer_input(name) for name in _INTEGERS)
        self._beam = op.parameter([-1], ov.Type.i32, name="beam_idx")
        self._beam.output(0).set_names({"beam_idx"})
        self._rows = op.gather(op.shape_of(self._ids), _int64([0]), _int64(0))
        self._cosine = self._sine = self._attended = None

    def model(self) -> ov.Model:
        table = self._matrix("model.embed_tokens.weight")
        hidden = op.gather(table, op.convert(self._ids, "i32"), op.constant(np.int32(0)))
        self._cosine, self._sine = self._rotations()
        for layer in range(self._a.layers):
            hidden = self._layer(hidden, f"model.layers.{layer}.", layer)
        hidden = self._norm(hidden, "model.norm.weight")
        head = table if self._a.tied_embeddings else self._matrix("lm_head.weight")
        logits = op.matmul(hidden, head, transpose_a=False, transpose_b=True)
        logits.set_friendly_name("__module.lm_head/ov_ext::linear/MatMul")
        result = op.result(logits)
        result.output(0).set_names({"logits"})
        parameters = [self._ids, self._mask, self._positions, self._beam]
        return ov.Model([result], self._sinks, parameters, "decoder")

    def _layer(self, hidden: Any, name: str, layer: int) -> Any:
        normed = self._norm(hidden, f"{name}input_layernorm.weight")
        hidden = op.add(hidden, self._attention(normed, f"{name}self_attn.", layer))
        normed = self._norm(hidden, f"{name}post_attention_layernorm.weight")
        gate = op.swish(self._product(normed, f"{name}mlp.gate_proj"))
        up = self._product(normed, f"{name}mlp.up_proj")
        return op.add(hidden, self._product(op.multiply(gate, up), f"{name}mlp.down_proj"))

    def _attention(self, hidden: Any, name: str, layer: int) -> Any:
        a = self._a
        queries = self._rotated(self._heads(hidden, f"{name}q", a.heads))
        keys = self._rotated(self._heads(hidden, f"{name}k", a.key_value_heads))
        values = self._heads(hidden, f"{name}v", a.key_value_heads)
        keys, past = self._cached(keys, f"past_key_values.{layer}.keypresent.{layer}.key")
        values, _ = self._cached(values, f"past_key_values.{layer}.valuepresent.{layer}.value")
        if self._attended is None:
            self._attended = self._attention_mask(past)
        answer = op.scaled_dot_product_attention(queries, self._repeated(keys), self._repeated(values), self._attended)
        joined = op.reshape(op.transpose(answer, _int32([0, 2, 1, 3])), _int64([0, 0, a.heads * a.head_width]), True)
        return self._product(joined, f"{name}o_proj")

    def _heads(self, hidden: Any, name: str, heads: int) -> Any:
        """N `heads` T `head_width`."""
        split = op.reshape(self._product(hidden, f"{name}_proj"), _int64([0, 0, heads, self._a.head_width]), True)
        if self._a.query_norm and name[-1] in "qk":
            split = self._norm(split, f"{name}_norm.weight")
        return op.transpose(split, _int32([0, 2, 1, 3]))

    def _cached(self, new: Any, variable: str) -> tuple[Any, Any]:
        """All keys or values, the cached ones first, which are returned too."""
        heads, width = self._a.key_value_heads, self._a.head_width
        empty = op.broadcast(op.constant(np.float32(0)), op.concat([self._rows, _int64([heads, 0, width])], 0))
        cached = opset6.read_value(empty, variable, ov.Type.f32, [-1, heads, -1, width])
        past = op.gather(cached, self._beam, _int64(0))
        joined = op.concat([past, new], 2)
        self._sinks.append(opset6.assign(joined, variable))
        return joined, past

    def _repeated(self, heads: Any) -> Any:
        """Keys or values once for each head of queries."""
        a = self._a
        if a.heads == a.key_value_heads:
            return heads
        groups = a.heads // a.key_value_heads
        shape = op.concat([self._rows, _int64([a.key_value_heads, groups, 1, a.head_width])], 0)
        wide = op.broadcast(op.unsqueeze(heads, _int64(2)), shape, broadcast_spec="BIDIRECTIONAL")
        return op.reshape(wide, _int64([0, a.heads, -1, a.head_width]), True)

    def _attention_mask(self, past: Any) -> Any:
        """0 where a token may look, else the lowest number (N 1 T S)."""
        seen = op.gather(op.shape_of(past), _int64(2), _int64(0))
        new = op.gather(op.shape_of(self._ids), _int64(1), _int64(0))
        total = op.gather(op.shape_of(self._mask), _int64(1), _int64(0))
        keys = op.range(_int64(0), total, _int64(1), "i64")
        queries = op.unsqueeze(op.range(seen, op.add(seen, new), _int64(1), "i64"), _int64(1))
        causal = op.unsqueeze(op.less_equal(op.unsqueeze(keys, _int64(0)), queries), _int64([0, 1]))
        real = op.unsqueeze(op.not_equal(self._mask, _int64(0)), _int64([1, 2]))
        lowest = op.constant(np.float32(np.finfo(np.float16).min))
        return op.select(op.logical_and(causal, real), op.constant(np.float32(0)), lowest)

    def _rotations(self) -> tuple[Any, Any]:
        """Cosines and sines (N 1 T `head_width`) of the positions' angles."""
        frequencies = op.constant(rope_frequencies(self._a)[None, :, None])
        shape = op.concat([self._rows, _int64([1, 1])], 0)
        wide = op.broadcast(frequencies, shape, broadcast_spec="BIDIRECTIONAL")
        positions = op.convert(op.unsqueeze(self._positions, _int64(1)), "f32")
        angles = op.transpose(op.matmul(wide, positions, False, False), _int32([0, 2, 1]))
        angles = op.concat([angles, angles], -1)
        return op.unsqueeze(op.cos(angles), _int64(1)), op.unsqueeze(op.sin(angles), _int64(1))

    def _rotated(self, heads: Any) -> Any:
        """Queries or keys turned by their positions: x cos + rotate_half(x) sin."""
        half, end, axis = _int64([self._a.head_width // 2]), _int64([np.iinfo(np.int64).max]), _int64([3])
        upper = op.slice(heads, half, end, _int64([1]), axis)
        lower = op.slice(heads, _int64([0]), half, _int64([1]), axis)
        turned = op.concat([op.multiply(upper, op.constant(np.full((1, 1, 1, 1), -1, np.float32))), lower], -1)
        return op.add(op.multiply(heads, self._cosine), op.multiply(turned, self._sine))

    def _norm(self, values: Any, name: str) -> Any:
        """Root mean square normalization (Zhang and Sennrich 2019, equation 4)."""
        square = op.power(values, op.constant(np.full((1,), 2, np.float32)))
        mean = op.reduce_mean(square, _int32([-1]), keep_dims=True)
        root = op.sqrt(op.add(mean, op.constant(np.full((1,), self._a.norm_epsilon, np.float32))))
        normed = op.multiply(op.divide(op.constant(np.full((1,), 1, np.float32)), root), values)
        return op.multiply(normed, self._vector(name))

    def _product(self, values: Any, name: str) -> Any:
        product = op.matmul(values, self._matrix(f"{name}.weight"), transpose_a=False, transpose_b=True)
        product.set_friendly_name(f"__module.{name}/ov_ext::linear/MatMul")
        if self._a.query_bias and name.endswith(("q_proj", "k_proj", "v_proj")):
            return op.add(product, self._vector(f"{name}.bias"))
        return product

    def _vector(self, name: str) -> Any:
        constant = op.constant(np.asarray(self._weight(name), np.float32))
        constant.set_friendly_name(name)
        return constant

    def _matrix(self, name: str) -> Any:
        values = self._weight(name)
        constant = op.constant(values)
        constant.set_friendly_name(name)
        return constant if values.dtype == np.float32 else op.convert(constant, "f32")


def types_of(graph: Path) -> Mapping[str, int]:
    """Type of a decoder's weights in OpenVINO's files -> how many are stored in it.

    Raises InputError for a graph of another kind.
    """
    try:
        model = ov.Core().read_model(graph)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1][:200]
        raise InputError(f"OpenVINO cannot read {graph.name}: {reason}", "export the model again") from None
    inputs = {name for port in model.inputs for name in port.get_names()}
    if not {*_INTEGERS, "beam_idx"} <= inputs or "logits" not in model.outputs[0].get_names():
        raise InputError(
            f"{graph.name} is no decoder with a cache: its inputs are {', '.join(sorted(inputs)) or 'none'}",
            "export it for text generation with past (optimum-cli export openvino)",
        )
    counts: dict[str, int] = {}
    for node in model.get_ops():
        if node.get_type_name() == "Constant" and (size := math.prod(node.get_output_shape(0))) > 1:
            kind = node.get_element_type().get_type_name().upper()
            counts[kind] = counts.get(kind, 0) + size
    return counts


_INTEGERS = ("input_ids", "attention_mask", "position_ids")


def integer_input(name: str) -> Any:
    """An input of int64 with two dimensions of any size."""
    parameter = op.parameter([-1, -1], ov.Type.i64, name=name)
    parameter.output(0).set_names({name})
    return parameter


def exact(threads: int, precision: str, kv_cache: str = "f32", *, integers: bool = True) -> dict[str, Any]:
    """Properties with which OpenVINO computes a decoder alike alone and in a batch: in fp32 (or bf16), with a cache in
    fp32 (or `u8`).

    Where weights are in 8 or 4 bits, what they are multiplied with is rounded to 8 bits too, in groups: sums of whole
    numbers have no order, so that answers are equal to the bit among any others, and several at once twice as quick.
    Without `integers` it is not rounded: a token has the same log-probability in whatever chunk it is computed.
    """
    return {
        "INFERENCE_PRECISION_HINT": "f32" if precision == "fp32" else "bf16",
        "KV_CACHE_PRECISION": kv_cache,
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": "32" if integers else "0",
        "INFERENCE_NUM_THREADS": threads,
    }


def _int64(values: int | list[int]) -> Any:
    return op.constant(np.array(values, np.int64))


def _int32(values: list[int]) -> Any:
    return op.constant(np.array(values, np.int32))
