"""A language model on rows of a source: asked, graded, judged, and compared with another version."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from glassworks.catalog import named
from glassworks.contracts import (
    Answered,
    Choice,
    Difference,
    Evaluation,
    ExampleScores,
    Grader,
    Opening,
    Progress,
    Questions,
)
from glassworks.data.paired import measured, paired
from glassworks.errors import DataError, InputError
from glassworks.language.evaluation.asking import Asking, in_order
from glassworks.language.evaluation.examples import Examples, read_examples
from glassworks.language.evaluation.graders.fields import object_of
from glassworks.language.evaluation.kept import Kept, kept
from glassworks.language.evaluation.rows import Example

_MOST_TOKENS, _MARGIN = 256, 16
_LIKELIHOOD, _TOKENS = "log_likelihood", "tokens"
"""Kept of an example whose text or answer is read: the sum of log-probabilities, and their count."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What was found of each example, in their order, and how quickly."""

    items: list[Mapping[str, Any]]
    tokens_per_second: float = 0.0
    resumed: int = 0

    def scores(self) -> dict[str, ExampleScores]:
        """By metric, those that apply to no example left out; perplexity last unless it is alone."""
        names = dict.fromkeys(name for row in self.items for name in row["scores"])
        found = {name: self._of(name) for name in names if name not in (_LIKELIHOOD, _TOKENS)}
        if _TOKENS in names:
            sums, counts = self._of(_LIKELIHOOD).values, self._of(_TOKENS).values
            some = counts > 0
            values = np.where(some, -sums / np.where(some, counts, 1), np.nan)
            found["perplexity"] = ExampleScores(
                values=values, weights=np.where(some, counts, 0), exponential=True, higher_is_better=False
            )
        return {name: each for name, each in found.items() if np.isfinite(each.values).any()}

    def _of(self, name: str) -> ExampleScores:
        given = [row["scores"].get(name) for row in self.items]
        values = np.array([math.nan if each is None else each for each in given], np.float64)
        # A grade is no share, although all may be 1.
        return ExampleScores(values=values, weights=np.ones(len(values)) if name == "judge_score" else None)


def read(opening: Opening, asked: Questions, progress: Progress) -> Examples:
    """The examples of a source, understood and told."""
    progress.start("data")
    learned = opening.preprocessing.get("columns") or {"text": opening.preprocessing.get("column") or ""}
    examples = read_examples(asked, learned, bool(opening.preprocessing.get("chat_template")))
    progress.finish(f"{len(examples.items):,} examples: {examples.measured}")
    asked.understood(examples.understood)
    return examples


@contextlib.contextmanager
def ask_each(opening: Opening, examples: Examples, asked: Questions, progress: Progress) -> Iterator[Rows]:
    """Every example asked and graded, but those that are kept already; what the rows are in the end is kept when the
    block ends. Raises InputError, StorageError and Cancelled.
    """
    grading = Grading.of(examples, asked)
    asking = Asking(opening, _MOST_TOKENS)
    most = asked.max_tokens or _enough(asking, examples, graded=bool(asked.judge))
    asking = Asking(opening, most)
    key = _key(opening, examples, asked, most)
    with contextlib.nullcontext() if asked.output is None else kept(asked.output, key) as file:
        rows = _filled(asking, examples, grading, file, progress)
        yield rows
        if file is not None:
            file.finish(rows.items)


def _filled(asking: Asking, examples: Examples, grading: Grading, file: Kept | None, progress: Progress) -> Rows:
    done = {} if file is None else {number: row for number, row in file.rows.items() if number < len(examples.items)}
    resumed = len(done)
    left = [number for number in range(len(examples.items)) if number not in done]
    begun, tokens = time.monotonic(), 0

    def work(number: int) -> Mapping[str, Any]:
        return grading.row(asking, examples.items[number])

    rows = in_order(left, work, grading.at_once(asking), progress, "evaluate")
    for number, row in zip(left, rows, strict=True):
        done[number] = row
        tokens += int(row.get("completion_tokens") or 0)
        if file is not None:
            file.append(number, row)
    seconds = time.monotonic() - begun
    rate = tokens / seconds if tokens and seconds else 0.0
    progress.finish(f"{len(left):,} examples" + (f", {rate:,.0f} tokens a second" if rate else ""))
    return Rows(items=[done[number] for number in range(len(examples.items))], tokens_per_second=rate, resumed=resumed)


@dataclass(frozen=True, kw_only=True)
class Grading:
    """What is asked of an example, and which graders see the answer."""

    measured: str
    graders: Mapping[str, Any]
    likelihood: bool

    @classmethod
    def of(cls, examples: Examples, asked: Questions) -> Grading:
        """By what the data let one measure; answers that are JSON objects are graded field by field."""
        options: dict[str, Any] = {}
        if examples.measured == "multiple choice":
            options = {"multiple_choice": {}}
        elif examples.measured in ("questions", "conversations"):
            options = {"exact_match": {} if asked.normalize is None else {"normalize": asked.normalize}}
            if all(object_of(each.expected) is not None for each in examples.items):
                options["fields"] = {}
        graders = {name: named(Grader, name).options(**given) for name, given in options.items()}
        return cls(
            measured=examples.measured,
            graders=graders,
            likelihood=examples.measured in ("texts", "questions", "conversations", "preferences"),
        )

    @property
    def writes(self) -> bool:
        """Whether an answer is written."""
        return self.measured in ("questions", "conversations", "prompts")

    def at_once(self, asking: Asking) -> int:
        """How many examples are under way together."""
        return asking.at_once if self.writes else 1

    def row(self, asking: Asking, example: Example) -> dict[str, Any]:
        """What is kept of an example, in JSON's types."""
        row: dict[str, Any] = {"id": example.id, "prompt": example.prompt or example.text}
        if example.expected:
            row["expected"] = example.expected
        scores = dict[str, float]()
        answered = Answered()
        if self.writes:
            written = asking.answer(example)
            row |= {"answer": written.text, "completion_tokens": written.completion_tokens}
            row |= {"prompt_tokens": written.prompt_tokens, "finish_reason": written.finish_reason}
            row |= {"problem": written.problem} if written.problem else {}
            answered = Answered(text=written.text)
        try:
            if example.choices:
                answered = Answered(choices=asking.choices(example))
                row["choices"] = [asdict(choice) for choice in answered.choices]
                row["answer"] = _most_probable(answered.choices)
            if self.likelihood:
                scores |= self._likelihood(asking, example)
        except InputError as error:
            row["problem"] = error.problem[:200]
        if "problem" not in row:
            for name, options in self.graders.items():
                scores |= named(Grader, name).grade(answered, example.expected, options)
        return {**row, "scores": {name: None if math.isnan(value) else value for name, value in scores.items()}}

    def _likelihood(self, asking: Asking, example: Example) -> dict[str, float]:
        """Of the text, or of the known answer."""
        if self.measured == "texts" or example.messages:
            total, count = asking.likelihood(example)
        else:
            values = asking.continuation(example, example.expected)
            total, count = sum(values), len(values)
        found = {_LIKELIHOOD: total, _TOKENS: float(count)}
        return {"preference_accuracy": float(asking.margin(example) > 0), **found} if example.rejected else found


def evaluation_of(examples: Examples, rows: Rows) -> Evaluation:
    """The metrics of what was found. Raises DataError where nothing could be measured."""
    scores = rows.scores()
    metrics = {name: each for name, values in scores.items() if (each := measured(values)) is not None}
    problems = [row for row in rows.items if row.get("problem")]
    if not metrics and examples.measured != "prompts":
        why = f": {problems[0]['id']}: {problems[0]['problem']}" if problems else ""
        raise DataError(
            f"nothing could be measured{why:.200}", "give texts with two tokens, which fit into the context"
        )
    understood = examples.understood
    about: dict[str, Any] = {"measured": understood.measured, "columns": dict(understood.columns)}
    about |= {"rows": list(understood.rows), "notes": list(understood.notes)}
    if problems:
        about["notes"].append(
            f"{len(problems):,} examples have no answer, such as {problems[0]['id']}: {problems[0]['problem']}"
        )
    if cut := sum(row.get("finish_reason") == "length" for row in rows.items):
        about["notes"].append(f"{cut:,} answers ended at the most tokens they may have")
    if rows.resumed:
        about["notes"].append(f"{rows.resumed:,} examples were measured before, and not again")
    if rows.tokens_per_second:
        about["tokens_per_second"] = rows.tokens_per_second
    return Evaluation(len(examples.items), metrics, scores=scores, fingerprint=examples.fingerprint(), about=about)


def differences(ours: Mapping[str, ExampleScores], theirs: Mapping[str, ExampleScores]) -> dict[str, Difference]:
    """By the metrics that both have."""
    both = {name: paired(scores, theirs[name]) for name, scores in ours.items() if name in theirs}
    return {name: each for name, each in both.items() if each is not None}


def _enough(asking: Asking, examples: Examples, *, graded: bool) -> int:
    """Tokens in which the longest known answer can be written, with something around it."""
    known = [example.expected for example in examples.items if example.expected]
    if graded or not known:
        return _MOST_TOKENS
    longest = max(asking.tokens(text) for text in sorted(known, key=len)[-8:])
    return min(_MOST_TOKENS, 2 * longest + _MARGIN)


def _most_probable(choices: Sequence[Choice]) -> str:
    return max(choices, key=lambda choice: choice.log_probability).text


def _key(opening: Opening, examples: Examples, asked: Questions, most: int) -> str:
    """Of all that decides what is kept of an example."""
    said = [opening.sha256, examples.fingerprint(), most, asked.normalize]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
