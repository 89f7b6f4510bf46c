"""What is reported of a whole answer, beside it: how often such answers are right, and which training conversations are
like it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glassworks.language.answer import objects
from glassworks.language.confidence import report, scored
from glassworks.language.conversations import messages_of
from glassworks.language.nearest import text_of
from glassworks.language.parameters import Asked

if TYPE_CHECKING:
    from glassworks.contracts import Array
    from glassworks.language.engine import TokenScore
    from glassworks.language.session import LanguageSession
    from glassworks.language.tokenizer import LanguageTokenizer

CONFIDENCE, NEAREST = "confidence", "nearest"
"""What the last chunk of a stream has where it is asked for."""


@dataclass(frozen=True, kw_only=True)
class Whole:
    """The prompt as it was sent and as tokens, and the tokens of its answer; `ended` says that the model ended it
    itself, which is not every `reason` for an end.
    """

    text: bytes | str
    prompt: Sequence[int]
    ids: Sequence[int]
    reason: str
    ended: bool


def reported(session: LanguageSession, asked: Asked, whole: Whole) -> dict[str, Array]:
    """Outputs of one row, as JSON."""
    found: dict[str, Any] = {}
    if asked.confidence:
        ends = session.stop_ids if whole.ended else ()
        score = scored(session.scorer(), whole.prompt, whole.ids, ends)
        found[CONFIDENCE] = report(session.confidence, score, whole.reason, usual=asked.usual)
    if asked.nearest and session.kept:
        answered = f"{_question(whole.text, asked)}\n{session.tokenizer.decode(whole.ids)}"
        found[NEAREST] = session.kept.nearest(answered, session.embed, asked.nearest)
    return {name: objects([json.dumps(each, ensure_ascii=False).encode()]) for name, each in found.items()}


def of_prompt(tokenizer: LanguageTokenizer, first: int, scores: Sequence[TokenScore]) -> Array:
    """One row: the tokens of a prompt with their log-probabilities, ranks and the most probable others, as JSON."""
    entries: list[dict[str, Any]] = [{**tokenizer.described(first), "logprob": None, "rank": None, "top": []}]
    for score in scores:
        entry = {**tokenizer.scored(score.id, score.log_probability), "rank": score.rank}
        entries.append({**entry, "top": [tokenizer.scored(*each) for each in score.alternatives]})
    return objects([json.dumps(entries, ensure_ascii=False).encode()])


def _question(text: bytes | str, asked: Asked) -> str:
    if asked.messages is not None:
        return text_of(messages_of(asked.messages))
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text
