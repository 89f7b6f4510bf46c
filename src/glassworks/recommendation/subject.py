"""A recommendation as explainers see it: values belong to the items of the history, which stay or are taken out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Session, Signature, Subject, TensorSpec, View
from glassworks.errors import InputError
from glassworks.recommendation.requests import parse
from glassworks.recommendation.session import INPUT, Case, RecommendSession

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors

    Floats = NDArray[np.float32]

CONTRIBUTIONS, KEPT = "contributions", "kept"


class RecommendationSubject(Subject):
    """The history (1 1 H): 1 is there, 0 is taken out. The target is an item; left out, the first recommended one.

    Without a history the only part is popularity.
    """

    kind: ClassVar[str] = "histories"

    def __init__(self, tensors: Tensors, sessions: Callable[[str], Session], baseline: float | Array | None) -> None:
        if baseline is not None:
            raise InputError("a history has no baseline", "leave it out: items are taken out of it")
        session = sessions("predict")
        if not isinstance(session, RecommendSession):
            raise InputError("this model recommends nothing", "explain it with its own task")
        self.input, self._session = INPUT, session
        self._case = session.case(parse(tensors[INPUT].ravel()[0]))
        self.outputs = session.run({INPUT: tensors[INPUT]})
        items, indices = session.items, self._case.history.indices.tolist()
        nothing = "popularity" if self._case.profile is None else "features of the user"
        self.names = tuple(map(items.name, indices)) or ({"item": None, "title": nothing},)
        self._target = -1

    def aim(self, target: int | str | None, labels: Sequence[str]) -> tuple[int, str]:
        """The item's own score. Raises InputError for an unknown item, and where nothing is recommended."""
        if target is None:
            found = json.loads(next(iter(self.outputs.values()))[0])["items"]
            if not found:
                raise InputError("nothing is recommended, so there is nothing to explain", "name an item as the target")
            target = found[0]["item"]
        index = self._session.items.ids.index(target)
        if index is None:
            raise InputError(f"there is no item '{str(target)[:200]}'", "give the id of an item as the target")
        self._target = index
        name = self._session.items.name(index)
        return 0, str(name.get("title") or name["item"])

    def view(self, role: str) -> View:
        ones = np.ones((1, 1, len(self.names)), np.float32)
        return View(
            session=_Histories(self._session, self._case, self._target), example=ones, baseline=np.zeros_like(ones)
        )


class _Histories(Session):
    """Masks of the history (N 1 H) in, the target's scores (N 1) out.

    `contributions` (N 1 H) are the exact parts of the score that the items have; `kept` (N 1) says whether the target
    is still among the k best, by the request's own rules. What is taken out of the history still counts as seen.
    """

    signature = Signature(
        inputs=(TensorSpec(name="history", datatype="FP32", shape=(-1, 1, -1)),),
        outputs=tuple(
            TensorSpec(name=name, datatype="FP32", shape=shape)
            for name, shape in (("scores", (-1, 1)), (CONTRIBUTIONS, (-1, 1, -1)), (KEPT, (-1, 1)))
        ),
    )

    def __init__(self, session: RecommendSession, case: Case, target: int) -> None:
        self._session, self._case, self._target = session, case, target

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        masks = np.asarray(tensors["history"], np.float32).reshape(len(tensors["history"]), -1)
        wanted = outputs or [spec.name for spec in self.signature.outputs]
        rows = [self._row(mask) for mask in masks]
        scores = self._session.scores(rows)
        if self._case.history.nnz == 0:
            scores = masks[:, :1] * self._session.fallback(self._case)
        compute: Mapping[str, Callable[[], Any]] = {
            "scores": lambda: scores[:, [self._target]],
            CONTRIBUTIONS: lambda: np.stack([self._parts(row, mask) for row, mask in zip(rows, masks, strict=True)]),
            KEPT: lambda: np.array([[self._kept(row, each)] for row, each in zip(rows, scores, strict=True)]),
        }
        return {name: np.asarray(compute[name](), np.float32) for name in wanted}

    def _row(self, mask: Floats) -> Any:
        history = self._case.history
        if history.nnz == 0:
            return history
        there = np.flatnonzero(mask > 0)
        weights = history.data[there] * mask[there]
        return self._session.row(dict(zip(history.indices[there].tolist(), weights.tolist(), strict=True)))

    def _parts(self, row: Any, mask: Floats) -> Floats:
        found = np.zeros((1, len(mask)), np.float32)
        if self._case.history.nnz == 0:
            found[0, 0] = mask[0] * self._session.fallback(self._case)[self._target]
        else:
            parts = self._session.scorer.contributions(row, np.array([self._target]))
            found[0, np.searchsorted(self._case.history.indices, row.indices)] = parts[0]
        return found

    def _kept(self, row: Any, scores: Floats) -> bool:
        case = replace(self._case, history=row)
        return self._target in self._session.top(case, scores)
