"""Which parts of a prompt drove an answer, by the graph that is served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glassworks.contracts import Budget
from glassworks.explanation import explain

if TYPE_CHECKING:
    from glassworks.contracts import Explanation
    from glassworks.language.attribution.parts import Question
    from glassworks.language.attribution.subject import Aim
    from glassworks.language.session import LanguageSession


@dataclass(frozen=True, kw_only=True)
class PromptAttribution:
    """What each part of a prompt did to an answer.

    `parts` are objects with `item` (its text), `start`, `end`, and in a conversation `message` and `role`; `values`
    (nats) say by how much a part raises the log-probability of what is explained, `errors` are standard errors where a
    method samples. `tokens` are those of the answer: `token`, `start`, `end`, `probability`, `entropy`, `runners_up`
    and more. `span_values` has a row for each of `spans`. `kind` says what the parts are; `notes` say what was made
    coarser or left out.
    """

    method: str
    kind: str
    parts: tuple[Mapping[str, Any], ...]
    values: tuple[float, ...]
    errors: tuple[float, ...]
    answer: str
    against: str | None
    span: tuple[int, int] | None
    tokens: tuple[Mapping[str, Any], ...]
    spans: tuple[tuple[int, int], ...]
    span_values: tuple[tuple[float, ...], ...]
    score: float
    baseline_score: float | None
    quality: Mapping[str, float]
    rows: int
    calls: int
    milliseconds: float
    converged: bool
    seed: int
    notes: tuple[str, ...]

    @classmethod
    def of(cls, explanation: Explanation) -> PromptAttribution:
        """Of the explanation that a language model's subject, engine or service gives."""
        found, about = explanation.attribution, explanation.details
        span = about.get("span")
        return cls(
            method=explanation.method,
            kind=about["parts"],
            parts=tuple(explanation.names),
            values=tuple(found.values.ravel().tolist()),
            errors=() if found.errors is None else tuple(found.errors.ravel().tolist()),
            answer=about["answer"],
            against=about.get("against"),
            span=(span[0], span[1]) if span else None,
            tokens=tuple(about["tokens"]),
            spans=tuple((begin, end) for begin, end in about.get("spans", ())),
            span_values=tuple(tuple(row) for row in about.get("span_values", ())),
            score=found.score,
            baseline_score=found.baseline_score,
            quality=explanation.quality,
            rows=found.forward,
            calls=about["calls"],
            milliseconds=explanation.milliseconds,
            converged=found.converged,
            seed=explanation.seed,
            notes=tuple(about["notes"]),
        )


def attribute(
    session: LanguageSession,
    question: Question,
    aim: Aim,
    *,
    method: str = "leave_one_out",
    budget: Budget | None = None,
    seed: int = 0,
    grade: bool = True,
) -> PromptAttribution:
    """Explain an answer to a question (see `question_of`) by an open session. Raises InputError."""
    from glassworks.language.attribution.subject import PromptSubject

    budget = budget or Budget()
    subject = PromptSubject(session, question, aim, budget)
    found = explain(
        subject, method=method, target=None, budget=budget, seed=seed, labels=(), artifact_sha256="", grade=grade
    )
    return PromptAttribution.of(found)
