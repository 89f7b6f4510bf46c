"""Requests in, recommendations out, with reasons. Rows do not depend on each other."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Session, Signature, TensorSpec
from glassworks.errors import BundleError, InputError
from glassworks.recommendation import nearest
from glassworks.recommendation.artifact import scorer_of
from glassworks.recommendation.items import Ids, Items
from glassworks.recommendation.people import People
from glassworks.recommendation.ranking import best, diverse
from glassworks.recommendation.reasons import because
from glassworks.recommendation.requests import Id, Liked, Request, parse
from glassworks.recommendation.rules import Eligible, boosted, eligible
from glassworks.recommendation.scoring import Scorer, Sparse

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors
    from glassworks.recommendation.feedback import FeedbackMemory

INPUT, OUTPUT = "request", "recommendations"
SIGNATURE = Signature(
    inputs=(TensorSpec(name=INPUT, datatype="BYTES", shape=(-1,)),),
    outputs=(TensorSpec(name=OUTPUT, datatype="BYTES", shape=(-1,)),),
)
_POOL = 100
"""At least so many candidates for a diverse list."""
_ELEMENTS = 2**24
"""Scores computed at once."""


@dataclass(frozen=True)
class Case:
    """A request with what is known of its user: `history` (a row, 1 I) is what is liked, `seen` (item indices) all
    that was met."""

    request: Request
    history: Sparse
    seen: NDArray[np.int64]
    unknown: tuple[Id, ...]
    known_user: bool
    profile: NDArray[np.int64] | None = None
    """The features of the user, where these answer."""
    unknown_features: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Ranked:
    """The recommended items by index, best first, the scores that ranked them (I), and the basis of these."""

    indices: NDArray[np.int64]
    scores: NDArray[np.float32]
    basis: str
    allowed: Eligible


class RecommendSession(Session):
    """Thread-safe. Feedback, where there is any, is looked up for every request."""

    signature = SIGNATURE

    def __init__(self, index: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], folder: Path) -> None:
        import polars

        self._columns = index.get("columns", {})
        self.items = Items(folder / index["tables"]["items"], self._columns.get("title", ""))
        self._users = Ids(polars.read_parquet(folder / index["tables"]["users"])["id"])
        self.scorer: Scorer = scorer_of(index, arrays)
        self._rows = tuple(arrays[f"histories.{name}"] for name in ("indptr", "indices", "weights"))
        self._popular = self.items.popularity
        self._nearest = nearest.opened(index, folder, self.scorer)
        self._people = People.opened(index, arrays, folder)
        self.feedback: FeedbackMemory | None = None
        if self.scorer.items != len(self.items) or len(self._rows[0]) != len(self._users) + 1:
            raise BundleError("the tables and the arrays do not fit each other", "package the model again")

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        """`recommendations` (N): a JSON object a row. Raises InputError for an invalid request."""
        cases = [self.case(parse(value)) for value in tensors[INPUT].ravel().tolist()]
        rows = max(1, _ELEMENTS // max(1, len(self.items)))
        found = np.empty(len(cases), object)
        for begin in range(0, len(cases), rows):
            some = cases[begin : begin + rows]
            answers = [self._near(case) for case in some]
            left = [number for number, answer in enumerate(answers) if answer is None]
            for number, scores in zip(left, self.scores([some[number].history for number in left]), strict=True):
                answers[number] = self.answer(some[number], scores)
            for number, answer in enumerate(answers, start=begin):
                found[number] = json.dumps(answer, ensure_ascii=False, allow_nan=False).encode()
        return {OUTPUT: found}

    def _near(self, case: Case) -> dict[str, Any] | None:
        """The answer from the graph's candidates; None without one, or where its rules leave too few of them."""
        if self._nearest is None or not case.history.nnz or case.request.boost:
            return None
        answer = self.answer(case, self._nearest.scores(case.history))
        return None if answer["shortage"] else answer

    def usual(self) -> dict[str, Array]:
        """The user with the longest history, who asks for the usual ten."""
        sizes = np.diff(self._rows[0])
        request = {"user": self._users[int(sizes.argmax())] if len(sizes) else 0}
        row = np.empty(1, object)
        row[0] = json.dumps(request).encode()
        return {INPUT: row}

    def remember(self, memory: Any) -> None:
        self.feedback = memory

    def scores(self, histories: Sequence[Sparse]) -> NDArray[np.float32]:
        """N I, of one row each."""
        from scipy.sparse import vstack

        if not histories:
            return np.zeros((0, len(self.items)), np.float32)
        return self.scorer.scores(histories[0] if len(histories) == 1 else vstack(histories, format="csr"))

    def case(self, request: Request) -> Case:
        """What is known of the user, and the request's own; the latest entry of an item counts. Raises InputError."""
        if request.user is None and not (request.history or request.features) and request.similar_to is None:
            raise InputError(
                "the request names neither a user nor a history", 'give "user", "history", or "similar_to"'
            )
        profile, unknown_features = self._profile(request)
        met: dict[int, float] = {}
        unknown: list[Id] = []
        known_user = False
        if request.similar_to is not None:
            index = self.items.ids.index(request.similar_to)
            if index is None:
                raise InputError(f"there is no item '{str(request.similar_to)[:200]}'", "give an item of the catalog")
            return Case(request, self.row({index: 1.0}), np.array([index]), (), False)
        if request.user is not None:
            known_user = self._of_user(request.user, met, unknown)
        for each in request.history:
            item, weight = (each.item, each.weight) if isinstance(each, Liked) else (each, 1.0)
            self._add(item, weight, met, unknown)
        seen = np.array(sorted(met), np.int64)
        return Case(request, self.row(met), seen, tuple(unknown), known_user, profile, unknown_features)

    def _profile(self, request: Request) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
        """The features of the request, else those that the table of users has of the user."""
        if self._people is not None:
            return self._people.profile(request)
        if request.features:
            raise InputError("this model knows no features of users", "leave 'features' out, or train with data.users")
        return None, ()

    def _of_user(self, user: Id, met: dict[int, float], unknown: list[Id]) -> bool:
        index = self._users.index(user)
        if index is not None:
            begin, end = int(self._rows[0][index]), int(self._rows[0][index + 1])
            met.update(zip(self._rows[1][begin:end].tolist(), self._rows[2][begin:end].tolist(), strict=True))
        reported = self.feedback.of(user) if self.feedback is not None else ()
        for item, weight in reported:
            self._add(item, weight, met, unknown)
        return index is not None or bool(reported)

    def _add(self, item: Id, weight: float, met: dict[int, float], unknown: list[Id]) -> None:
        index = self.items.ids.index(item)
        if index is None:
            unknown.append(item)
        else:
            met[index] = weight

    def row(self, met: Mapping[int, float]) -> Sparse:
        """One history as a row (1 I); what was met and not liked has no entry."""
        from scipy.sparse import csr_array

        indices = np.array(sorted(index for index, weight in met.items() if weight > 0), np.int32)
        weights = np.array([met[index] for index in indices.tolist()], np.float32)
        return csr_array((weights, indices, np.array([0, len(indices)], np.int32)), shape=(1, len(self.items)))

    def answer(self, case: Case, scores: NDArray[np.float32]) -> dict[str, Any]:
        """The JSON object of one row; `scores` (I) are the scorer's."""
        request, ranked = case.request, self._ranked(case, scores)
        indices = ranked.indices
        found = [{**self.items.name(index), "score": float(ranked.scores[index])} for index in indices.tolist()]
        if request.reasons and ranked.basis == "history":
            reasons = because(self.scorer, self.items, case.history, indices, request.reasons)
            found = [{**each, **reason} for each, reason in zip(found, reasons, strict=True)]
        if request.reasons and ranked.basis == "features":
            found = [{**each, **self._by_features(case, index)} for each, index in zip(found, indices, strict=True)]
        shortage = {"asked": request.k, "found": len(indices), "reason": ranked.allowed.reason(request.k)}
        return {
            "items": found,
            "basis": ranked.basis,
            "known_user": case.known_user,
            **({} if case.known_user or request.user is None else {"unknown_user": request.user}),
            **({"unknown_features": list(case.unknown_features)} if case.unknown_features else {}),
            "unknown_items": list(case.unknown),
            "shortage": shortage if len(indices) < request.k else None,
        }

    def top(self, case: Case, scores: NDArray[np.float32]) -> NDArray[np.int64]:
        """Indices of the recommended items, best first."""
        return self._ranked(case, scores).indices

    def _ranked(self, case: Case, scores: NDArray[np.float32]) -> _Ranked:
        allowed = eligible(case.request, self.items, case.seen)
        basis = self._basis(case, scores)
        if basis == "features" or not scores.any():
            scores = self.fallback(case)
        if self._nearest is not None:
            allowed.mask = allowed.mask & np.isfinite(scores)
        indices = self._chosen(case.request, boosted(case.request, self.items, scores), allowed)
        return _Ranked(indices, scores, basis, allowed)

    def fallback(self, case: Case) -> NDArray[np.float32]:
        """Scores (I) where nothing is known of what the user likes: by features, else how many like an item."""
        if self._people is None or case.profile is None:
            return self._popular
        return self._people.profiles.scores(case.profile)

    def _by_features(self, case: Case, index: int) -> dict[str, Any]:
        if self._people is None or case.profile is None:
            return {}
        terms = self._people.profiles.terms(case.profile, index)[: case.request.reasons]
        return {"features": [{"feature": name, "contribution": value} for name, value in terms]}

    def _basis(self, case: Case, scores: NDArray[np.float32]) -> str:
        """What ranked the items: popularity where nothing is liked, or where nothing is learned about it."""
        if case.history.nnz == 0 or not scores.any():
            return "popularity" if case.profile is None else "features"
        return "similar" if case.request.similar_to is not None else "history"

    def _chosen(self, request: Request, scores: NDArray[np.float32], allowed: Eligible) -> NDArray[np.int64]:
        if request.diversity == 0:
            return best(scores, allowed.mask, request.k)
        pool = best(scores, allowed.mask, max(_POOL, 5 * request.k))
        if not len(pool):
            return pool
        return diverse(scores, pool, self._likeness(pool), request.k, request.diversity)

    def _likeness(self, pool: NDArray[np.int64]) -> NDArray[np.float32]:
        """Similarity from 0 to 1 (P P): of categories where items have them, else by the scorer."""
        features = self.items.features(pool, self._columns.get("categories", ()))
        if features is None:
            ordered = np.sort(pool)
            near = self.scorer.contributions(self.row(dict.fromkeys(ordered.tolist(), 1.0)), ordered)
            back = np.searchsorted(ordered, pool)
            found = np.maximum(near, near.T)[np.ix_(back, back)]
        else:
            found = features @ features.T
        found = np.clip(found, 0, None)
        return np.asarray(found / max(float(found.max()), 1e-9), np.float32)
