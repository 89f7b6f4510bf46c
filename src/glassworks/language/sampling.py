"""How the next token is chosen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Settings of one answer; `temperature` 0 takes the most probable token.

    `top_k` 0, `top_p` 1 and `min_p` 0 leave all tokens in. The penalties are OpenAI's: `presence` and `frequency` are
    subtracted from the logits of tokens that were generated.
    """

    max_tokens: int
    stop_ids: frozenset[int] = frozenset()
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Generated:
    """Further tokens of an answer with their log-probabilities (natural, before temperature).

    `finish_reason` is empty until the last one: `stop` at a stop token, which is not among the tokens, or `length`.
    """

    ids: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    finish_reason: str = ""
