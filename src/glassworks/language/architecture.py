"""What a decoder is built of: sizes and constants, whatever file they were read from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from glassworks.record import Record

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Kind = Literal["llama", "qwen2", "qwen3"]
KINDS: tuple[Kind, ...] = ("llama", "qwen2", "qwen3")
"""Decoders with rotary positions, RMS norms, grouped queries and gated feed-forward layers. They differ in a bias on
queries, keys and values (qwen2) and in norms of queries and keys (qwen3)."""


class RopeScaling(Record):
    """Rotary frequencies stretched for longer contexts; `llama3` after Llama 3.1's reference code."""

    kind: Literal["linear", "llama3"]
    factor: Positive
    low_frequency_factor: float = 1.0
    high_frequency_factor: float = 4.0
    original_context: int = 8192


class Architecture(Record):
    """Sizes of a decoder, in units of vector elements; `context` and `vocabulary` in tokens."""

    kind: Kind
    layers: int
    width: int
    heads: int
    key_value_heads: int
    head_width: int
    feed_forward: int
    vocabulary: int
    context: int
    rope_base: Positive
    rope_scaling: RopeScaling | None = None
    norm_epsilon: Positive
    tied_embeddings: bool

    @property
    def query_bias(self) -> bool:
        """Whether queries, keys and values have a bias."""
        return self.kind == "qwen2"

    @property
    def query_norm(self) -> bool:
        """Whether queries and keys of each head are normalized."""
        return self.kind == "qwen3"

    def weights(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Name (as in Hugging Face's files) and shape of every weight."""
        queries, keys = self.heads * self.head_width, self.key_value_heads * self.head_width
        yield "model.embed_tokens.weight", (self.vocabulary, self.width)
        for layer in range(self.layers):
            head = f"model.layers.{layer}."
            yield f"{head}input_layernorm.weight", (self.width,)
            for name, size in (("q", queries), ("k", keys), ("v", keys)):
                yield f"{head}self_attn.{name}_proj.weight", (size, self.width)
                if self.query_bias:
                    yield f"{head}self_attn.{name}_proj.bias", (size,)
            if self.query_norm:
                yield f"{head}self_attn.q_norm.weight", (self.head_width,)
                yield f"{head}self_attn.k_norm.weight", (self.head_width,)
            yield f"{head}self_attn.o_proj.weight", (self.width, queries)
            yield f"{head}post_attention_layernorm.weight", (self.width,)
            yield f"{head}mlp.gate_proj.weight", (self.feed_forward, self.width)
            yield f"{head}mlp.up_proj.weight", (self.feed_forward, self.width)
            yield f"{head}mlp.down_proj.weight", (self.width, self.feed_forward)
        yield "model.norm.weight", (self.width,)
        if not self.tied_embeddings:
            yield "lm_head.weight", (self.vocabulary, self.width)

    @property
    def parameters(self) -> int:
        """How many numbers the weights are."""
        return sum(math.prod(shape) for _, shape in self.weights())
