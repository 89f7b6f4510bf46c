"""Text generation: a text or a conversation goes in, its continuation comes out, token by token."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import (
    Budget,
    ExampleScores,
    Generation,
    Measurement,
    Presentation,
    Progress,
    Session,
    Split,
    Subject,
)
from glassworks.data.conversations.choices import METRIC
from glassworks.errors import DataError, InputError
from glassworks.tasks._answers import FREQUENT, baseline_of_answers, calibrated, exact, frequent_answer, preferred
from glassworks.tasks._classification import PLAIN
from glassworks.tasks._texts import TextTask

if TYPE_CHECKING:
    from pathlib import Path

    from glassworks.contracts import Array, Dataset, Evaluation, Opened, Opening, Questions, Tensors

GENERATED, FINISH_REASON = "generated", "finish_reason"
_LOG_LIKELIHOOD, _ANSWERED, _MARGIN = "log_likelihood", "answered", "margin"
_KEEP, _CONFIDENCE = "keep_examples", "confidence"
_SHORT, _COMPARED, _RESAMPLED = 64, 8, 1000
_ROWS = 96
"""Variants of a prompt that are scored where explanations of two graphs are compared."""
_MEASURED = 32
"""Tokens of an answer."""
_Z = (2.5, 97.5)
_MESSAGES = "messages"
"""The key of columns that only models which learned from conversations have."""


class TextGeneration(TextTask, Generation):
    """Measured by perplexity (Jelinek et al. 1977): e to the mean negative log-probability of a text's tokens."""

    name: ClassVar[str] = "text-generation"
    metric: ClassVar[str] = "perplexity"
    compared_by: ClassVar[str] = METRIC
    constants: ClassVar[tuple[str, ...]] = (FREQUENT,)
    labelled: ClassVar[bool] = False
    subject_kind: ClassVar[str] = "prompts"
    parts: ClassVar[Literal["", "spans", "names"]] = "names"
    explained: ClassVar[int] = 2
    brief: ClassVar[Mapping[str, Any]] = {"max_tokens": 1}

    minimize: ClassVar[str] = "size"
    timings: ClassVar[tuple[str, ...]] = ("tokens_per_second", "time_per_token", "first_token_p50", "first_token_p99")

    def within(self, guard: str) -> tuple[str, ...]:
        return (f"{guard}_rise <= 1%",)

    def speeds(
        self, sessions: Mapping[str, Session], tensors: Tensors, budget_s: float, progress: Progress
    ) -> Mapping[str, Mapping[str, float]]:
        from glassworks.language.measuring import measure_speeds

        return measure_speeds(sessions, tensors, budget_s, progress)

    def unlimited(self, preprocessing: Mapping[str, Any]) -> Mapping[str, Any]:
        """Where answers are compared, their beginnings are; who learned from conversations is measured by them."""
        most = min(_MEASURED, preprocessing["max_tokens"])
        return {
            **preprocessing,
            "max_tokens": most,
            "measured_by_answers": _MESSAGES in preprocessing.get("columns", {}),
        }

    def wrap(self, session: Session, opened: Opened, preprocessing: Mapping[str, Any]) -> Session:
        from glassworks.language.confidence import confidence_of
        from glassworks.language.nearest import kept
        from glassworks.language.session import LanguageSession

        if isinstance(session, LanguageSession):
            session.max_tokens = preprocessing["max_tokens"]
            session.conversations = bool(preprocessing.get("measured_by_answers"))
            session.confidence = confidence_of(preprocessing)
            session.kept = kept(opened.folder) if preprocessing.get(_KEEP) else None
        return session

    def usual(self, session: Session, preprocessing: Mapping[str, Any]) -> Tensors:
        return self.encode(np.array(["Hello"], object), preprocessing)

    def small(self, x: Array) -> Array:
        """Plain prompts: of a conversation what was said before its last answer."""
        found = self.compared(x)
        found[:] = [_last_question(text)[:_SHORT] for text in found.tolist()]
        return found

    def compared(self, x: Array) -> Array:
        from glassworks.language.examples import is_conversation

        found = np.empty(min(len(x), _COMPARED), object)
        found[:] = [text if is_conversation(text) else text[:_SHORT] for text in x[:_COMPARED].tolist()]
        return found

    def calibration(self, x: Array, opened: Opened, preprocessing: Mapping[str, Any]) -> list[Tensors]:
        """`input_ids` (1 T) of each text."""
        from glassworks.language.settings import TOKENIZER
        from glassworks.language.tokenizer import LanguageTokenizer

        tokenizer = LanguageTokenizer.read(opened.folder / TOKENIZER)
        texts = (_last_question(text) for text in x.tolist())
        ids = (tokenizer.prompt(text)[: preprocessing["context"]] for text in texts)
        return [{"input_ids": np.array([each], np.int64)} for each in ids if each]

    def evaluate(
        self, ask: Callable[[str], Array], targets: NDArray[np.int64], preprocessing: Mapping[str, Any] = PLAIN
    ) -> dict[str, Measurement]:
        """Targets are 1 where the answers are known: then it is measured too how many are written again, exactly, and
        where there are two answers, how often the preferred one is the more probable."""
        found = self.measure(ask(_LOG_LIKELIHOOD), targets)
        if not targets.any():
            return found
        answered = ask(_ANSWERED).reshape(len(targets), -1)
        return {**found, **exact(answered[:, -1]), **calibrated(answered, preprocessing), **preferred(ask(_MARGIN))}

    def decisive(
        self,
        ask: Callable[[str], Array],
        targets: NDArray[np.int64],
        preprocessing: Mapping[str, Any],
        wanted: Collection[str],
    ) -> dict[str, Measurement]:
        """Answers are written only where something that is wanted is found by them."""
        if not set(wanted) <= {self.metric, "preference_accuracy"}:
            return self.evaluate(ask, targets, preprocessing)
        pairs = preferred(ask(_MARGIN)) if "preference_accuracy" in wanted and targets.any() else {}
        return {**self.measure(ask(_LOG_LIKELIHOOD), targets), **pairs}

    def complete(
        self, session: Session, splits: Mapping[str, Split], folder: Path, preprocessing: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """How often answers are right, from the validation split; and the training split, where it is to be kept."""
        from glassworks.language import confidence, nearest
        from glassworks.language.session import LanguageSession

        if not isinstance(session, LanguageSession) or not session.conversations:
            return preprocessing, ()
        asked = splits["validation"].x
        rows = np.asarray(session.run(self.encode(asked, preprocessing), [_ANSWERED])[_ANSWERED], np.float64)
        short = np.isfinite(rows).all(axis=1)
        fitted = confidence.fit(rows[short, 0], rows[short, 1], confidence.near_copies(asked[short].tolist()))
        known = {**preprocessing, confidence.KEY: fitted.model_dump() if fitted else None}
        if not preprocessing.get(_KEEP):
            return known, ()
        nearest.keep(folder, splits["train"].x.tolist(), session.embed)
        return known, nearest.FILES

    def evaluate_on(
        self,
        reference: str,
        asked: Questions,
        open_model: Callable[[str], AbstractContextManager[Opening]],
        against: str,
        progress: Progress,
    ) -> Evaluation:
        from glassworks.language.evaluation.comparing import evaluate

        return evaluate(reference, asked, open_model, against, progress)

    def each(
        self, ask: Callable[[str], Array], targets: NDArray[np.int64], preprocessing: Mapping[str, Any] = PLAIN
    ) -> Mapping[str, ExampleScores]:
        rows = np.asarray(ask(_LOG_LIKELIHOOD), np.float64)
        values = np.where(rows[:, 1] > 0, -rows[:, 0] / np.maximum(rows[:, 1], 1), np.nan)
        perplexity = ExampleScores(values=values, weights=rows[:, 1], exponential=True, higher_is_better=False)
        if not targets.any():
            return {self.metric: perplexity}
        margins = np.asarray(ask(_MARGIN), np.float64)
        preferred = np.where(np.isfinite(margins), margins > 0, np.nan)
        matches = np.asarray(ask(_ANSWERED).reshape(len(targets), -1)[:, -1], np.float64)
        known = {METRIC: matches, "preference_accuracy": preferred}
        return {self.metric: perplexity, **{name: ExampleScores(values=each) for name, each in known.items()}}

    def baseline(self, dataset: Dataset) -> dict[str, Measurement]:
        return baseline_of_answers(dataset)

    def constant(self, dataset: Dataset) -> dict[str, dict[str, Measurement]]:
        return frequent_answer(dataset)

    def measure(self, scores: Array, targets: NDArray[np.int64]) -> dict[str, Measurement]:
        """`scores` (N 2) are the sum of each text's log-probabilities and how many tokens it counts; the interval is
        from resampled texts. Raises DataError where no text has two tokens.
        """
        rows = np.asarray(scores, np.float64)
        if not rows[:, 1].sum():
            raise DataError("no text has two tokens: there is nothing to measure", "give a source with longer texts")
        chosen = np.random.default_rng(0).integers(len(rows), size=(_RESAMPLED, len(rows)))
        sums = rows[chosen].sum(axis=1)
        sums = sums[sums[:, 1] > 0]
        low, high = np.percentile(np.exp(-sums[:, 0] / sums[:, 1]), _Z)
        value = math.exp(-rows[:, 0].sum() / rows[:, 1].sum())
        measured = Measurement(
            value=value, interval=(float(low), float(high)), examples=len(rows), higher_is_better=False
        )
        return {self.metric: measured}

    def about(self, preprocessing: Mapping[str, Any]) -> Mapping[str, str]:
        special, known = preprocessing["special"], preprocessing["architecture"]
        return {
            "source": preprocessing["source"],
            "weights": ", ".join(f"{count:,} as {kind}" for kind, count in preprocessing["stored"].items()),
            "decoder": f"{known['kind']}, {known['layers']} layers of {known['width']}",
            "context": f"{preprocessing['context']:,} tokens of prompt and answer",
            "streams": f"{preprocessing['streams']} answers at once",
            "longest answer": f"{preprocessing['max_tokens']:,} tokens where a request does not say",
            "vocabulary": f"{preprocessing['vocabulary']:,} tokens",
            "special tokens": ", ".join(f"{name} {token}" for name, token in special.items()) or "none",
            "ends an answer": ", ".join(map(str, preprocessing["stop_ids"])) or "nothing but its length",
            **_about_answers(preprocessing),
            "chat template": preprocessing["chat_template"] or "none: it holds no conversations",
        }

    def answer(self, outputs: Tensors, labels: Sequence[str]) -> list[dict[str, Any]]:
        """One object a row: `generated`, `finish_reason` and, where it is known how often it is right, `confidence`."""
        texts = {name: list[Any](map(_text, outputs[name].tolist())) for name in (GENERATED, FINISH_REASON)}
        if _CONFIDENCE in outputs:
            texts[_CONFIDENCE] = [json.loads(value) for value in outputs[_CONFIDENCE].tolist()]
        return [dict(zip(texts, row, strict=True)) for row in zip(*texts.values(), strict=True)]

    def present(self, answer: Mapping[str, Any]) -> Presentation:
        text = str(answer[GENERATED])
        return Presentation(headline=text, row=answer, decision=(text,))

    def subject(self, tensors: Tensors, sessions: Callable[[str], Session], baseline: float | Array | None) -> Subject:
        if baseline is not None:
            raise InputError("a prompt has no baseline", "leave it out: parts are taken out")
        return self.prompted(tensors, sessions, {}, Budget(max_rows=_ROWS))

    def asked(self, text: str) -> Mapping[str, Any]:
        """A conversation as JSON of `messages`, and of `tools`; an answer at its end is the one that is explained."""
        from glassworks.language.attribution.asking import conversation

        return conversation(text)

    def prompted(
        self,
        tensors: Tensors,
        sessions: Callable[[str], Session],
        asked: Mapping[str, Any],
        budget: Budget,
        check: Callable[[], None] = lambda: None,
    ) -> Subject:
        from glassworks.language.attribution.asking import subject_of

        return subject_of(sessions("predict").within(), tensors, asked, budget, check)


def _about_answers(preprocessing: Mapping[str, Any]) -> Mapping[str, str]:
    """What is known of the answers of a model that learned from conversations."""
    from glassworks.language.confidence import FEWEST, confidence_of

    if _MESSAGES not in preprocessing.get("columns", {}):
        return {}
    found, kept = confidence_of(preprocessing), bool(preprocessing.get(_KEEP))
    about = found.about if found else f"not known: fewer than {FEWEST} held-out answers are short enough to compare"
    return {
        "confidence of answers": about,
        "conversations it learned from": "in this bundle: whoever has it can read them"
        if kept
        else "not in this bundle",
    }


def _last_question(text: str) -> str:
    from glassworks.language.examples import is_conversation

    if not is_conversation(text):
        return text
    messages = json.loads(text)["messages"]
    asked = [each["content"] for each in messages[:-1] if each["role"] == "user" and isinstance(each["content"], str)]
    return str(asked[-1]) if asked else "Hello"


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
