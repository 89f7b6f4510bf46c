"""An answer as a target: its tokens with their characters, and sums of log-probabilities over some of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassworks.errors import InputError
from glassworks.language.engine import TokenScore
from glassworks.language.tokenizer import LanguageTokenizer


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Tokens, their text, and the characters (start, end) of each in it: a token that holds a part of a character has
    that character.
    """

    ids: tuple[int, ...]
    text: str
    spans: tuple[tuple[int, int], ...]

    def within(self, span: Sequence[int] | None) -> NDArray[np.bool_]:
        """Which tokens have a character of the span; all without one. Raises InputError."""
        if span is None:
            return np.ones(len(self.ids), np.bool_)
        begin, end = (int(each) for each in span)
        if not 0 <= begin < end <= len(self.text):
            raise InputError(f"the span ({begin}, {end}) is none of the answer", f"it has {len(self.text)} characters")
        return np.array([start < end and stop > begin for start, stop in self.spans], np.bool_)


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is explained: the log-probability of these tokens of an answer, less that of another one."""

    tokens: NDArray[np.bool_]
    against: bool = False

    def score(self, logs: Sequence[NDArray[np.float64]]) -> float:
        """Of the log-probabilities of the tokens of both answers."""
        return float(logs[0][self.tokens].sum() - (logs[1].sum() if self.against else 0.0))


def answer_of(tokenizer: LanguageTokenizer, ids: Sequence[int]) -> Answer:
    """An answer by its tokens; special ones have no characters."""
    decoder, texts, spans = tokenizer.decoder(), list[str](), list[tuple[int, int]]()
    at = 0
    for number in ids:
        text = decoder.feed([number])
        waits = not text and number not in tokenizer.special_ids
        spans.append((at, at + len(text) + waits))
        at += len(text)
        texts.append(text)
    whole = "".join(texts) + decoder.finish()
    return Answer(ids=tuple(ids), text=whole, spans=tuple((min(b, len(whole)), min(e, len(whole))) for b, e in spans))


def shown(tokenizer: LanguageTokenizer, answer: Answer, scores: Sequence[TokenScore]) -> list[dict[str, Any]]:
    """Each token with its characters, probability, entropy (nats; None where it is not known) and the runners-up."""
    found = []
    for score, (start, end) in zip(scores, answer.spans, strict=True):
        others = [
            {"token": tokenizer.described(token)["token"], "id": token, "probability": float(np.exp(value))}
            for token, value in score.alternatives
            if token != score.id
        ]
        found.append(
            {
                "token": tokenizer.described(score.id)["token"],
                "id": score.id,
                "start": start,
                "end": end,
                "probability": float(np.exp(score.log_probability)),
                "log_probability": score.log_probability,
                "rank": score.rank,
                "entropy": score.entropy,
                "runners_up": others,
            }
        )
    return found
