"""How the next token is chosen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Settings of one answer; `temperature` 0 takes the most probable token.

    `top_k` 0, `top_p` 1 and `min_p` 0 leave all tokens in. The `presence` and `frequency` penalties are OpenAI's: they
    are subtracted from the logits of tokens that were generated. `repetition_penalty` (Keskar et al. 2019, section 4.1)
    divides positive and multiplies negative logits of tokens of prompt and answer. A `grammar` (XGrammar's EBNF, `root`
    first) leaves in only tokens that go on with a text of its language; it must have been compiled before. Where
    log-probabilities are not to be `told` they may be zeros, which saves the sum over the vocabulary.
    """

    max_tokens: int
    stop_ids: frozenset[int] = frozenset()
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    seed: int = 0
    grammar: str = ""
    told: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Generated:
    """Further tokens of an answer with their log-probabilities (natural, before temperature, penalties and bias).

    `cached` is how many tokens of the prompt, at least, were not computed again. `alternatives`, where asked for, are
    (id, log-probability) of the most probable tokens at each. `finish_reason` is empty until the last one: `stop` at a
    stop token, which is not among the tokens, or `length`.
    """

    ids: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    alternatives: tuple[tuple[tuple[int, float], ...], ...] = ()
    cached: int = 0
    finish_reason: str = ""
