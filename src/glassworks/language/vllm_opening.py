"""vLLM opened on a folder in Hugging Face's layout, and what a request is in its terms."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.language.parameters import MOST_ALTERNATIVES
from glassworks.language.sampling import Sampling
from glassworks.language.vllm_settings import BLOCK_TOKENS, VllmSettings, computes_on

if TYPE_CHECKING:
    from vllm import LLMEngine, SamplingParams

_TYPES = {"fp32": "float32", "bf16": "bfloat16"}
TURN = threading.RLock()
"""Whose turn it is to use vLLM: it keeps what it computes for once in a process."""
_OPEN: list[LLMEngine] = []
_RETIRED: list[LLMEngine] = []


def opened(folder: Path, settings: VllmSettings, *, grammars: bool) -> LLMEngine:
    """It has answered once. Whatever vLLM raises passes through."""
    with TURN:
        engine = _made(folder, settings, grammars=grammars)
        _OPEN.append(engine)
        try:
            engine.add_request("first", {"prompt_token_ids": [0]}, params(Sampling(max_tokens=1), prompt=0))
            while engine.has_unfinished_requests():
                engine.step()
        except BaseException:
            release(engine)
            raise
        return engine


def release(engine: LLMEngine) -> None:
    """Give its memory back. The last one of a process ends what vLLM keeps once for all of them."""
    with TURN:
        _OPEN.remove(engine)
        _RETIRED.append(engine)
        engine.model_executor.shutdown()
        if not _OPEN:
            for each in _RETIRED:
                each.engine_core.shutdown()
            _RETIRED.clear()


def _made(folder: Path, settings: VllmSettings, *, grammars: bool) -> LLMEngine:
    on_cpu = computes_on() == "cpu"
    import torch
    from vllm import EngineArgs, LLMEngine

    torch.set_num_threads(settings.threads)
    if on_cpu:  # compiling takes a minute, and longer than it gains
        torch.compiler.set_stance("force_eager")
    arguments: dict[str, Any] = {
        "model": str(folder),
        "load_format": "safetensors",
        "dtype": _TYPES[settings.precision],
        "skip_tokenizer_init": not grammars,
        "generation_config": "vllm",
        "enforce_eager": on_cpu,
        "disable_log_stats": True,
        "seed": 0,
        **_sizes(settings, on_cpu=on_cpu),
    }
    return LLMEngine.from_engine_args(EngineArgs(**arguments))


def _sizes(settings: VllmSettings, *, on_cpu: bool) -> dict[str, Any]:
    """A prompt that fills the context can be scored: vLLM wants room for a token more."""
    step = settings.step_tokens or (256 if on_cpu else 2048)
    sizes = {
        "max_model_len": settings.context + 1,
        "hf_overrides": {"max_position_embeddings": settings.context + 1},
        "max_num_batched_tokens": step,
        "max_num_seqs": min(256, step),
        "max_logprobs": MOST_ALTERNATIVES,
        "block_size": BLOCK_TOKENS,
        "enable_prefix_caching": settings.prefix_caching,
        "enable_chunked_prefill": True,
    }
    if settings.gpu_memory and not on_cpu:
        return {**sizes, "gpu_memory_utilization": settings.gpu_memory}
    # The share is only compared with what is free, where the cache's size is given.
    return {**sizes, "kv_cache_memory_bytes": settings.cache_bytes, "gpu_memory_utilization": 0.01}


def params(
    sampling: Sampling, bias: Mapping[int, float] | None = None, alternatives: int = 0, prompt: int | None = None
) -> SamplingParams:
    """Ids in, ids out, each part once. Raises what vLLM raises where it refuses them."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    form = StructuredOutputsParams(grammar=sampling.grammar) if sampling.grammar else None
    return SamplingParams(
        max_tokens=sampling.max_tokens,
        stop_token_ids=sorted(sampling.stop_ids),
        ignore_eos=True,
        temperature=max(sampling.temperature, 0.0),
        top_k=sampling.top_k,
        top_p=sampling.top_p,
        min_p=sampling.min_p,
        seed=sampling.seed,
        presence_penalty=sampling.presence_penalty,
        frequency_penalty=sampling.frequency_penalty,
        repetition_penalty=sampling.repetition_penalty,
        logit_bias=dict(bias) if bias else None,
        logprobs=alternatives,
        prompt_logprobs=prompt,
        structured_outputs=form,
        detokenize=False,
        output_kind=RequestOutputKind.DELTA,
    )
