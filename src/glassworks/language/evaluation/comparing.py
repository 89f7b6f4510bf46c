"""The whole of an evaluation: a version, its judge, and another version on the same examples."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from glassworks.contracts import Evaluation, ExampleScores, Measurement, Opening, Progress, Questions
from glassworks.data.intervals import wilson
from glassworks.data.paired import measured
from glassworks.errors import InputError
from glassworks.language.evaluation.asking import in_order
from glassworks.language.evaluation.evaluating import Rows, ask_each, differences, evaluation_of, read
from glassworks.language.evaluation.examples import Examples
from glassworks.language.evaluation.judging import Judge, agreement, grades_of, judge_of, preferred
from glassworks.language.evaluation.remote import Remote, is_address
from glassworks.language.evaluation.rows import Example

Open: TypeAlias = Callable[[str], AbstractContextManager[Opening]]
"""Opens a registered model, and closes it again."""


def evaluate(reference: str, asked: Questions, open_model: Open, against: str, progress: Progress) -> Evaluation:
    """A model, and `against` another version where one is named; models are open one after the other. Raises
    DataError for a source that cannot be used, InputError, StorageError, ServingError and Cancelled.
    """
    with contextlib.ExitStack() as stack:
        with open_model(reference) as opening:
            examples = read(opening, asked, progress)
            _require_answers(examples, asked)
            rows = stack.enter_context(ask_each(opening, examples, asked, progress))
        other = _other(against, examples, asked, open_model, progress) if against else None
        metrics, about = dict[str, Measurement](), dict[str, Any]()
        if asked.judge:
            with _judge(asked, open_model) as judge:
                metrics, about = _opinions(judge, examples, rows, other, progress)
        found = evaluation_of(examples, rows)
    if other is None:
        return found._replace(metrics={**found.metrics, **metrics}, about={**found.about, **about})
    theirs = other.scores()
    return found._replace(
        metrics={**found.metrics, **metrics},
        about={**found.about, **about, "against": against},
        against=differences(found.scores, theirs),
    )


def _other(against: str, examples: Examples, asked: Questions, open_model: Open, progress: Progress) -> Rows:
    """The same examples, as the other version takes them."""
    same = replace(asked, columns=examples.understood.columns, output=None, understood=lambda _: None)
    with open_model(against) as opening:
        theirs = read(opening, same, progress)
        if [each.id for each in theirs.items] != [each.id for each in examples.items]:
            raise InputError(f"'{against}' cannot take all of these rows", "mend the rows that are left out")
        with ask_each(opening, theirs, same, progress) as rows:
            return rows


def _require_answers(examples: Examples, asked: Questions) -> None:
    if asked.judge and examples.measured in ("texts", "multiple choice", "preferences"):
        raise InputError(f"a judge has nothing to say of {examples.measured}", "leave --judge out, or give questions")


@contextlib.contextmanager
def _judge(asked: Questions, open_model: Open) -> Iterator[Judge]:
    if is_address(asked.judge):
        with contextlib.closing(Remote(asked.judge)) as remote:
            yield judge_of(remote, asked.rubric)
        return
    with open_model(asked.judge) as opening:
        yield judge_of(opening, asked.rubric)


def _opinions(
    judge: Judge, examples: Examples, rows: Rows, other: Rows | None, progress: Progress
) -> tuple[dict[str, Measurement], dict[str, Any]]:
    """Grades of all answers, how far the judge agrees with people, and which of two versions it prefers."""
    grades = grades_of(examples.items)

    def graded(each: tuple[Example, str]) -> str:
        return judge.grade(each[0], each[1], grades)

    _grade(judge, examples, rows, grades, progress)
    metrics, about = dict[str, Measurement](), {"grades": list(grades)}
    people = [each for each in examples.items if each.response and each.score]
    if people:
        work = [(each, each.response) for each in people]
        verdicts = list(in_order(work, lambda each: judge.grade(*each, grades), judge.at_once, progress, "agreement"))
        progress.finish(f"{len(people):,} answers that people graded")
        metrics |= agreement(verdicts, [each.score for each in people])
    if other is not None:
        found, orders = _preferred(judge, examples, rows, other, progress)
        metrics |= found
        about |= orders
    return metrics, about


def _grade(judge: Judge, examples: Examples, rows: Rows, grades: Sequence[str], progress: Progress) -> None:
    """Writes what the judge says into the rows; words have no mean."""
    work = list(zip(examples.items, (str(row.get("answer", "")) for row in rows.items), strict=True))
    verdicts = in_order(work, lambda each: judge.grade(each[0], each[1], grades), judge.at_once, progress, "judge")
    for number, verdict in enumerate(verdicts):
        row = rows.items[number]
        scores = dict(row["scores"])
        if "problem" not in row:
            scores["judge_readable"] = float(bool(verdict))
            with contextlib.suppress(ValueError):
                scores["judge_score"] = float(verdict) if verdict else None
        rows.items[number] = {**row, "judge": verdict, "scores": scores}
    progress.finish(f"{len(work):,} answers")


def _preferred(
    judge: Judge, examples: Examples, rows: Rows, other: Rows, progress: Progress
) -> tuple[dict[str, Measurement], dict[str, Any]]:
    answers = ([str(row.get("answer", "")) for row in side.items] for side in (rows, other))
    work = list(zip(examples.items, *answers, strict=True))
    found = list(in_order(work, lambda each: preferred(judge, *each), judge.at_once, progress, "prefer"))
    progress.finish(f"{len(found):,} pairs of answers, each in both orders")
    for number, each in enumerate(found):
        row = rows.items[number]
        value = None if np.isnan(each.value) else each.value
        rows.items[number] = {**row, "other_answer": work[number][2], "preferred": value}
    values = np.array([each.value for each in found])
    preference = measured(ExampleScores(values=values))
    read_ = np.isfinite(values)
    about: dict[str, Any] = {
        "wins": int((values == 1).sum()),
        "ties": int((values == 0.5).sum()),
        "losses": int((values == 0).sum()),
        "unreadable": int((~read_).sum()),
        "orders_disagree": int(sum(not each.agrees for each, fine in zip(found, read_, strict=True) if fine)),
    }
    firsts, chosen = sum(each.firsts for each in found), sum(each.chosen for each in found)
    metrics = {"preference": preference} if preference else {}
    if chosen:
        bias = Measurement(value=firsts / chosen, interval=wilson(firsts, chosen), examples=chosen)
        metrics["first_shown_chosen"] = bias
    return metrics, {"preference": about}
