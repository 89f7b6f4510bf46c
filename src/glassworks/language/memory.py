"""How much memory a language model takes, told from sizes before anything is read; and how much there is."""

from __future__ import annotations

from glassworks.errors import Unsupported
from glassworks.language.architecture import Architecture
from glassworks.machine import available_bytes
from glassworks.record import Record

_CACHE_BYTES = {"f32": 4, "bf16": 2, "u8": 1}
_PROCESS_BYTES = 200 * 2**20
"""An engine process without a model: libraries, threads, the tokenizer."""
_WHOLE_BYTES = 1.5
"""Of weights with more bytes each, the engine makes float32; others it computes with as they are."""


class Memory(Record):
    """Bytes of the weights as they are computed with, of the cache for all streams, and of everything else."""

    weights: int
    cache: int
    rest: int = _PROCESS_BYTES

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.rest


def cache_bytes(architecture: Architecture, tokens: int, stored: str = "f32") -> int:
    """Keys and values of so many tokens."""
    row = 2 * architecture.layers * architecture.key_value_heads * architecture.head_width
    return row * tokens * _CACHE_BYTES[stored]


def needed(architecture: Architecture, weights: int, tokens: int, stored: str = "f32") -> Memory:
    """For a graph whose file has so many bytes of weights, and a cache of so many tokens.

    The file stays in memory beside what is computed with; a table that embeds and predicts is there twice.
    """
    each = weights / architecture.parameters
    each = 4 if each > _WHOLE_BYTES else each
    twice = architecture.vocabulary * architecture.width if architecture.tied_embeddings else 0
    computed = int(each * (architecture.parameters + twice))
    return Memory(weights=weights + computed, cache=cache_bytes(architecture, tokens, stored))


def require_fits(memory: Memory, name: str, mend: str, free: int | None = None) -> None:
    """Raise Unsupported, with the figures, for a model that does not fit into this machine's memory, or into the `free`
    memory of what it computes on.
    """
    free = available_bytes() if free is None else free
    if free is not None and memory.total > free:
        raise Unsupported(
            f"'{name}' needs {_gb(memory.total)} of memory (weights {_gb(memory.weights)}, cache {_gb(memory.cache)}), "
            f"{_gb(free)} are free",
            mend,
        )


def _gb(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
