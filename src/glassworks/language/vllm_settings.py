"""What a model asks of vLLM, and how vLLM is kept to itself: no figures sent, no network, one process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glassworks.contracts import Precision
from glassworks.language.engine import Computing, Engine, Scoring
from glassworks.language.memory import Memory, cache_bytes, require_fits
from glassworks.language.settings import LanguageSettings

if TYPE_CHECKING:
    from glassworks.language.architecture import Architecture

_BYTES = {"fp32": 4, "bf16": 2}
_STORED = {"fp32": "f32", "bf16": "bf16"}
BLOCK_TOKENS = 32
"""Tokens in a block of the cache: with fewer, a processor computes more slowly."""
_SPARE_BLOCKS = 2
"""One that stands for nothing, and the rounding of the last answer's."""
_REST_BYTES = 1400 * 2**20
"""A process that computes on a CPU, without weights and cache: 1.43 GB were measured with SmolLM2-135M."""
_ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    # The engine computes in the process that opened it, which is a model's own already.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
}
_USUAL = {
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
}
"""What people may set otherwise."""


@dataclass(frozen=True, kw_only=True)
class VllmSettings(Computing):
    """The cache holds `cache_tokens`; with `gpu_memory`, a share of the GPU's memory, it is what that leaves instead.

    `step_tokens` of prompts are computed in one step; cancelling waits for the end of one.
    """

    cache_tokens: int
    architecture: Architecture
    context: int
    threads: int = 1
    precision: Precision = "fp32"
    gpu_memory: float = 0.0
    step_tokens: int = 0
    """0: by what it computes on."""
    prefix_caching: bool = True

    def engine(self, folder: Path, contents: Sequence[bytes]) -> Engine:
        from glassworks.language.vllm_engine import VllmEngine

        return VllmEngine(folder, self, grammars=bool(contents))

    def scorer(self, folder: Path, engine: Engine) -> Scoring:
        from glassworks.language.vllm_engine import VllmEngine, VllmScorer

        if not isinstance(engine, VllmEngine):
            raise TypeError(type(engine).__name__)
        return VllmScorer(engine)

    @property
    def cache_bytes(self) -> int:
        """Of the cache, where its tokens are what is asked for."""
        blocks = -(-self.cache_tokens // BLOCK_TOKENS) + _SPARE_BLOCKS
        return cache_bytes(self.architecture, blocks * BLOCK_TOKENS, _STORED[self.precision])


def settings_of(model: LanguageSettings, precision: Precision = "fp32", threads: int = 1) -> VllmSettings:
    """As a bundle says."""
    return VllmSettings(
        cache_tokens=model.context * model.streams,
        architecture=model.architecture,
        context=model.context,
        threads=threads,
        precision=precision,
        gpu_memory=model.gpu_memory,
    )


def computes_on() -> str:
    """`cuda` or `cpu`: vLLM is built for one of them."""
    prepare()
    from vllm.platforms import current_platform

    return "cpu" if current_platform.is_cpu() else "cuda"


def require_memory(name: str, settings: VllmSettings) -> None:
    """Where the weights are computed with and the cache is. Raises Unsupported, with the figures."""
    on_cpu = computes_on() == "cpu"
    weights = _BYTES[settings.precision] * settings.architecture.parameters
    cache = 0 if settings.gpu_memory and not on_cpu else settings.cache_bytes
    mend = "lower model.streams or model.context, or take a machine with more memory"
    if on_cpu:
        require_fits(Memory(weights=weights, cache=cache, rest=_REST_BYTES), name, mend)
        return
    import torch

    free, _ = torch.cuda.mem_get_info()
    require_fits(Memory(weights=weights, cache=cache, rest=0), name, mend, free)


def prepare() -> None:
    """No figures are sent anywhere, nothing is looked for in the network. It must come before vLLM is imported."""
    os.environ.update(_ENVIRONMENT)
    for name, value in _USUAL.items():
        os.environ.setdefault(name, value)
