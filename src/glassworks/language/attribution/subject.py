"""A prompt as explainers see it: values belong to its parts; what is explained is how probable an answer is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Attribution, Budget, Session, Signature, Subject, TensorSpec, View
from glassworks.errors import InputError
from glassworks.language.answer import objects
from glassworks.language.attribution.answers import Answer, Target, answer_of, shown
from glassworks.language.attribution.parts import Kind, Part, Question, merged, parts_of
from glassworks.language.engine import Row
from glassworks.language.session import INPUT, OUTPUT, REASON, LanguageSession

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors

_KEEP = 0.5
_OTHERS, _LONGEST_WAIT_S, _LOOKING_S = 9, 10.0, 0.01
_ALONE_S, _BESIDE_S = 0.5, 0.1
"""Of one call of the graph: while nothing else is answered, and beside answers."""
MOST_TOKENS = 2**18
"""Computed for one explanation where no budget is given: all variants with their answers, less what they share."""
_LONGEST = 64
"""Tokens of a written answer that are explained."""
_COARSER: Mapping[Kind, Kind] = {"words": "sentences"}
_GRADING = 0.5
"""Of the budget, what is left for the grade."""
_ORDERS, _FEWEST_ORDERS, _CURVE = 8, 4, 7
"""Random orders of a grade, and variants along each."""


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What of an answer is explained, and by which parts.

    `answer` is the one to explain, else the model writes it. With `against` its log-probability is compared with that
    of another answer: why X rather than Y. `span` (start, end) are characters of the answer, all without it; `spans`
    are further ones, whose values are told beside. `max_tokens` are those of the answer that is written; without it as
    many as the model gives, of which the first 64 are explained. `top` runners-up are told at each token.
    """

    parts: Kind = "words"
    passages: tuple[tuple[int, ...], ...] = ()
    answer: str | Sequence[int] | None = None
    against: str | None = None
    span: tuple[int, int] | None = None
    spans: tuple[tuple[int, int], ...] = ()
    max_tokens: int | None = None
    top: int = 5


class PromptSubject(Subject):
    """For `predict`, parts (1 1 P): 1 is there, 0 is taken out of the prompt. Scores are sums of log-probabilities: in
    the first column those of the span of the answer, then those of `spans`.
    """

    kind: ClassVar[str] = "prompts"

    def __init__(
        self,
        session: LanguageSession,
        question: Question,
        aim: Aim,
        budget: Budget,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """The prompt is read and the answer, unless it is given, written. `check` is called between the calls of the
        graph. Raises InputError.
        """
        self.input, self._session, self._aim, self._question = INPUT, session, aim, question
        self._notes = list[str]()
        self._answers, self.outputs = self._written()
        self._base = self._ids(question.contents())
        self._require_explainable()
        first = self._answers[0]
        spans = [aim.span, *aim.spans]
        self._targets = [Target(tokens=first.within(span), against=aim.against is not None) for span in spans]
        giving_way = GivingWay(session, check)
        self._variants = session.scorer().variants(self._base)
        scores = self._variants.describe(Row(self._base, first.ids), max(0, aim.top) + 1, giving_way)
        self._tokens = shown(session.tokenizer, first, scores)
        self._parts = self._divided(budget, self._variants.pace)
        self.names = tuple({"item": part.text, **_location(part)} for part in self._parts)
        score = partial(self._variants.score, check=giving_way)
        self._scored = _Scored(self._rows, score, self._targets, len(self._parts))

    def view(self, role: str) -> View:
        if role != "predict":
            raise InputError("the graph of a language model has no gradients", "choose a method that needs none")
        ones = np.ones((1, 1, len(self._parts)), np.float32)
        return View(session=self._scored, example=ones, baseline=np.zeros_like(ones))

    def aim(self, target: int | str | None, labels: Sequence[str]) -> tuple[int, str]:
        """The first column; an answer is its own label."""
        if target not in (None, 0):
            raise InputError(f"target is {target!r:.100}", "say by answer, span or against what is explained")
        label = self._answers[0].text[slice(*self._aim.span)] if self._aim.span else self._answers[0].text
        return 0, label if self._aim.against is None else f"{label} rather than {self._answers[1].text}"

    def within(self, budget: Budget) -> Budget:
        return replace(budget, max_rows=self._most_rows)

    def details(self, explain: Callable[[int], Attribution]) -> Mapping[str, Any]:
        further = [explain(column).values.ravel().tolist() for column in range(1, len(self._targets))]
        return {
            "parts": self._kind,
            "answer": self._answers[0].text,
            **({} if self._aim.against is None else {"against": self._answers[1].text}),
            **({} if self._aim.span is None else {"span": list(self._aim.span)}),
            "tokens": self._tokens,
            **({"spans": [list(span) for span in self._aim.spans], "span_values": further} if further else {}),
            "calls": self._variants.calls,
            "computed_tokens": self._variants.tokens + self._spent,
            "notes": self._notes,
        }

    def _written(self) -> tuple[list[Answer], Tensors]:
        """The answers, and what `predict` gives."""
        session, aim = self._session, self._aim
        tokenizer = session.tokenizer
        if aim.answer is None:
            prompt, parameters = self._question.having(self._question.contents())
            more = {} if aim.max_tokens is None else {"max_tokens": aim.max_tokens}
            ids, text, reason = session.answered(prompt, {**parameters, **more})
        else:
            ids = tokenizer.encode(aim.answer) if isinstance(aim.answer, str) else list(aim.answer)
            text, reason = answer_of(tokenizer, ids).text.encode(), ""
        self._spent = 0 if aim.answer is not None else len(self._ids(self._question.contents())) + len(ids)
        if aim.answer is None and aim.max_tokens is None and len(ids) > _LONGEST:
            self._notes.append(f"the first {_LONGEST} of the answer's {len(ids)} tokens are explained")
            ids = ids[:_LONGEST]
        given = [ids]
        given += [tokenizer.encode(aim.against)] if aim.against is not None else []
        outputs: Tensors = {OUTPUT: objects([text]), REASON: objects([reason.encode()])}
        return [answer_of(tokenizer, each) for each in given], outputs

    def _require_explainable(self) -> None:
        if not self._answers[0].ids:
            raise InputError("the answer is empty: there is nothing to explain", "give an answer to explain")
        longest = max(len(answer.ids) for answer in self._answers)
        if len(self._base) + longest > self._session.context:
            problem = f"context_length_exceeded: {len(self._base)} tokens and {longest} of the answer do not fit"
            raise InputError(f"{problem} into {self._session.context}", "send a shorter prompt, or a shorter answer")

    def _divided(self, budget: Budget, pace: float) -> list[Part]:
        """The parts that were asked for, or coarser ones where taking each out would cost more than the budget."""
        tokens = MOST_TOKENS if budget.milliseconds is None else budget.milliseconds / 1e3 / max(pace, 1e-9)
        # On average half of a prompt is in what variants share.
        row = sum(len(self._base) / 2 + len(answer.ids) for answer in self._answers)
        rows = int(min(tokens / row, budget.max_rows or 2**31))
        orders = min(_ORDERS, int(rows * _GRADING) // _CURVE - 2)
        self.orders = orders if orders >= _FEWEST_ORDERS else 0
        self._most_rows = max(4, rows - (_CURVE * (self.orders + 2) if self.orders else 0))
        most, self._kind = self._most_rows - 2, str(self._aim.parts)
        parts = parts_of(self._question, self._aim.parts, self._aim.passages)
        if not parts:
            raise InputError("the prompt has no character that somebody wrote", "send a prompt to explain")
        wanted = len(parts)
        if wanted > most and (coarser := _COARSER.get(self._aim.parts)):
            parts, self._kind = parts_of(self._question, coarser), coarser
        if len(parts) > most:
            parts, self._kind = merged(parts, most), f"groups of {self._kind}"
        if len(parts) < wanted:
            problem = f"{wanted:,} {self._aim.parts} are more than the budget allows"
            self._notes.append(f"{problem}: {self._kind} are explained")
        return parts

    def _ids(self, parts: Sequence[Part]) -> list[int]:
        text, parameters = self._question.having(parts)
        if not text and not parameters:
            return self._session.tokenizer.prompt("") or [self._session.first_token]
        return self._session.prompt_ids(text, parameters)

    def _rows(self, kept: NDArray[np.bool_]) -> list[Row]:
        ids = self._ids([part for part, there in zip(self._parts, kept.tolist(), strict=True) if there])
        return [Row(ids, answer.ids) for answer in self._answers]


class GivingWay:
    """Called between the calls of a graph: while the engine writes answers, waits, so that they have nine tenths of
    the time, and lets calls be short: an answer that begins during one has to share the processors until its end.
    Gives the seconds that the next call may take."""

    def __init__(self, session: LanguageSession, check: Callable[[], None]) -> None:
        self._session, self._check, self._since = session, check, time.monotonic()

    def __call__(self) -> float:
        end = time.monotonic() + min(_OTHERS * (time.monotonic() - self._since), _LONGEST_WAIT_S)
        self._check()
        while self._session.open_requests and time.monotonic() < end:
            time.sleep(_LOOKING_S)
            self._check()
        self._since = time.monotonic()
        return _BESIDE_S if self._session.open_requests else _ALONE_S


class _Scored(Session):
    """Rows (N 1 P) say which parts stay; the `scores` (N K) are of the answers after the prompt that remains. Each
    coalition is computed once.
    """

    def __init__(self, rows: Any, score: Any, targets: Sequence[Target], parts: int) -> None:
        self._rows, self._score, self._targets = rows, score, targets
        self._known: dict[bytes, list[float]] = {}
        self.signature = Signature(
            inputs=(TensorSpec(name="parts", datatype="FP32", shape=(-1, 1, parts)),),
            outputs=(TensorSpec(name="scores", datatype="FP64", shape=(-1, len(targets))),),
        )

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        kept = np.asarray(tensors["parts"], np.float32)[:, 0] > _KEEP
        new = {each.tobytes(): each for each in kept if each.tobytes() not in self._known}
        rows = [self._rows(each) for each in new.values()]
        logs = iter(self._score([row for each in rows for row in each]))
        for key, each in zip(new, rows, strict=True):
            found = [next(logs) for _ in each]
            self._known[key] = [target.score(found) for target in self._targets]
        return {"scores": np.array([self._known[each.tobytes()] for each in kept], np.float64)}


def _location(part: Part) -> dict[str, Any]:
    described = asdict(part)
    del described["text"]
    return {key: value for key, value in described.items() if value is not None and value != ""}
