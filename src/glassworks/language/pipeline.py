"""What openvino-genai's pipeline of continuous batching is told, and what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.language.decoder_graph import exact
from glassworks.language.reading import BLOCK_TOKENS
from glassworks.language.sampling import Generated, Sampling
from glassworks.language.vocabulary import engine_tokenizer

if TYPE_CHECKING:
    import openvino_genai

_ANSWERS = 256
"""Most answers under way."""
_NEVER = 2**31 - 1
"""No token; without any that ends an answer, some graphs' answers are refused."""


@dataclass(frozen=True, kw_only=True)
class PipelineSettings:
    """`cache_tokens` over all answers. With `fp32` and a cache in `f32` answers do not depend on what else is in the
    batch; `kv_cache` may be `u8`.

    `step_tokens` of prompts are computed in one step; cancelling waits for the end of one. Without `prefix_caching` the
    engine itself cuts prompts, anywhere, and its rounding depends on what else it computes.
    """

    cache_tokens: int
    threads: int
    precision: str = "fp32"
    kv_cache: str = "f32"
    step_tokens: int = 96
    prefix_caching: bool = True


def blocks(settings: PipelineSettings) -> int:
    """Of the cache; one is the pipeline's own."""
    return -(-settings.cache_tokens // BLOCK_TOKENS) + 1


def opened(
    folder: Path, settings: PipelineSettings, contents: Sequence[bytes]
) -> openvino_genai.ContinuousBatchingPipeline:
    """The pipeline over the folder of a graph."""
    import openvino_genai

    scheduler = openvino_genai.SchedulerConfig()
    scheduler.num_kv_blocks = blocks(settings)
    pieces = settings.step_tokens + _ANSWERS  # a piece is never cut: each answer under way adds a token
    scheduler.max_num_batched_tokens = pieces if settings.prefix_caching else settings.step_tokens
    scheduler.enable_prefix_caching = settings.prefix_caching
    scheduler.max_num_seqs = _ANSWERS
    properties = exact(settings.threads, settings.precision, settings.kv_cache)
    if not contents:
        return openvino_genai.ContinuousBatchingPipeline(str(folder), scheduler, "CPU", properties)
    tokenizer = engine_tokenizer(contents)
    return openvino_genai.ContinuousBatchingPipeline(str(folder), tokenizer, scheduler, "CPU", **properties)


def config_of(sampling: Sampling) -> openvino_genai.GenerationConfig:
    """The settings of an answer."""
    import openvino_genai

    config = openvino_genai.GenerationConfig()
    config.max_new_tokens, config.logprobs = sampling.max_tokens, int(sampling.told)
    config.apply_chat_template = False
    config.stop_token_ids = set(sampling.stop_ids or (_NEVER,))
    config.eos_token_id = min(config.stop_token_ids)
    if sampling.temperature > 0:
        config.do_sample, config.temperature, config.rng_seed = True, sampling.temperature, sampling.seed
        config.top_p, config.min_p = sampling.top_p, sampling.min_p
        if sampling.top_k:
            config.top_k = sampling.top_k
    config.presence_penalty, config.frequency_penalty = sampling.presence_penalty, sampling.frequency_penalty
    config.repetition_penalty = sampling.repetition_penalty
    if sampling.grammar:
        config.structured_output_config = openvino_genai.StructuredOutputConfig(grammar=sampling.grammar)
    return config


def generated(handle: Any, sampling: Sampling, cached: int) -> Generated:
    """What the last step added to an answer."""
    import openvino_genai

    ((_, output),) = handle.read().items()
    ids, probabilities = list(output.generated_ids), list(output.generated_log_probs)
    reason = {
        openvino_genai.GenerationFinishReason.NONE: "",
        openvino_genai.GenerationFinishReason.STOP: "stop",
        openvino_genai.GenerationFinishReason.LENGTH: "length",
    }[output.finish_reason]
    if reason == "stop" and ids and ids[-1] in sampling.stop_ids:
        ids, probabilities = ids[:-1], probabilities[:-1]
    if not sampling.told:
        probabilities = [0.0] * len(ids)
    return Generated(ids=tuple(ids), log_probabilities=tuple(probabilities), cached=cached, finish_reason=reason)
