"""Recommendation: a user, or a history of items, goes in; items come out, best first, each with its reasons."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Feedback, Presentation, Session, Tables, Task
from glassworks.errors import BundleError
from glassworks.recommendation.artifact import OpenedArrays
from glassworks.recommendation.metrics import mean_measured, measure_lists
from glassworks.tasks._strings import decoded, encoded

if TYPE_CHECKING:
    from pathlib import Path

    from glassworks.contracts import Array, Dataset, Measurement, Memory, Opened, Progress, Subject, Tensors

INPUT, OUTPUT = "request", "recommendations"


class Recommendation(Task, Tables, Feedback):
    """A user, or what somebody liked, goes in; items with scores and reasons come out.

    Requests are stored as an object array of str, each a JSON object, and targets as one of lists of item ids.
    """

    name: ClassVar[str] = "recommendation"
    metric: ClassVar[str] = "ndcg_at_10"
    constants: ClassVar[tuple[str, ...]] = ("popularity",)
    subject_kind: ClassVar[str] = "histories"
    literal: ClassVar[bool] = True
    parts: ClassVar[Literal["", "spans", "names"]] = "names"

    def decode(self, value: bytes, preprocessing: Mapping[str, Any]) -> Array:
        """A JSON object, or a bare user id, as an array without dimensions. Raises InputError unless it is UTF-8."""
        return decoded(value, "request", "send JSON in UTF-8")

    def inputs(self, source: str, preprocessing: Mapping[str, Any]) -> Iterator[tuple[str, Callable[[], Array]]]:
        """A request a row, or a user of a table of interactions."""
        from glassworks.data.interactions.reader import scan
        from glassworks.recommendation.batch import requests_of

        for name, request in requests_of(scan(source).frame, source):
            yield name, partial(np.array, request, object)

    def encode(self, x: Array, preprocessing: Mapping[str, Any]) -> dict[str, Array]:
        """`request`: bytes of UTF-8 (N)."""
        return {INPUT: encoded(x)}

    def measure(self, scores: Array, targets: NDArray[np.int64]) -> dict[str, Measurement]:
        """Of answers (N, JSON) against the items that came next."""
        lists = [[each["item"] for each in json.loads(answer)["items"]] for answer in scores.tolist()]
        return measure_lists(lists, targets.tolist())

    def answer(self, outputs: Tensors, labels: Sequence[str]) -> list[dict[str, Any]]:
        """The answers themselves."""
        return [json.loads(answer) for answer in outputs[OUTPUT].tolist()]

    def present(self, answer: Mapping[str, Any]) -> Presentation:
        """Items, each with what speaks most for it."""
        rows = [_row(item) for item in answer["items"]]
        unknown, shortage = answer["unknown_items"], answer["shortage"]
        notes = [f"not known: {', '.join(map(str, unknown))}"] if unknown else []
        if "unknown_user" in answer:
            notes.insert(0, f"the user '{str(answer['unknown_user'])[:80]}' is not known")
        if features := answer.get("unknown_features"):
            notes.append(f"features not known: {', '.join(features)[:200]}")
        notes += [f"only {shortage['found']}: {shortage['reason']}"] if shortage else []
        return Presentation(
            headline=next((title or item for item, title, *_ in rows), "nothing"),
            row=answer,
            title=f"by {answer['basis']}",
            columns=("item", "title", "score", "because you liked"),
            rows=tuple(rows),
            notes=tuple(notes),
            decision=tuple(item for item, *_ in rows) or ("nothing",),
        )

    def baseline(self, dataset: Dataset) -> dict[str, Measurement]:
        """Of the textbook: a pivot table, cosine between users, the mean of the ten most similar ones."""
        from glassworks.data.interactions.dataset import InteractionsDataset
        from glassworks.recommendation.baselines import textbook

        if not isinstance(dataset, InteractionsDataset):
            return {}
        return {name: mean_measured(values) for name, values in textbook(dataset.cut).users.items()}

    def wrap(self, session: Session, opened: Opened, preprocessing: Mapping[str, Any]) -> Session:
        """The session of arrays as one that answers. Raises BundleError where files do not fit each other."""
        from glassworks.recommendation.session import RecommendSession

        if not isinstance(session, OpenedArrays):
            raise BundleError(f"{opened.artifact.format} files recommend nothing", "package the model again")
        return RecommendSession(session.index, session.arrays, opened.folder)

    def usual(self, session: Session, preprocessing: Mapping[str, Any]) -> Tensors:
        from glassworks.recommendation.session import RecommendSession

        return session.usual() if isinstance(session, RecommendSession) else {}

    def answer_table(self, session: Session, source: Path, output: Path, progress: Progress) -> Mapping[str, int]:
        from glassworks.recommendation.batch import answer_table

        return answer_table(session, source, output, progress)

    def memory(self, file: Path) -> Memory:
        from glassworks.recommendation.feedback import FeedbackMemory

        return FeedbackMemory(file)

    def target(self, asked: int | str | None, labels: Sequence[str]) -> int | str | None:
        """An item, by its id."""
        return asked

    def subject(self, tensors: Tensors, sessions: Callable[[str], Session], baseline: float | Array | None) -> Subject:
        from glassworks.recommendation.subject import RecommendationSubject

        return RecommendationSubject(tensors, sessions, baseline)


def _row(item: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Id, title, score, and the items of the history that contribute most."""
    because = [f"{each.get('title') or each['item']} ({each['contribution']:+.3f})" for each in item.get("because", ())]
    return str(item["item"]), str(item.get("title", "")), f"{item['score']:.4g}", ", ".join(because)
