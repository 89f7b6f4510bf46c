"""Candidates from a graph: near what an exact scan finds, exact in their scores, and never against the rules."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array
from tests.patience import PATIENCE_S
from tests.unit.recommendation.shops import ask

from glassworks.contracts import Opened
from glassworks.data.interactions.collection import Interactions, ItemColumns, sparse_rows
from glassworks.errors import GlassworksError
from glassworks.recommendation import nearest
from glassworks.recommendation.artifact import write_arrays
from glassworks.recommendation.scoring import Arrays, Scorer, Sparse, scorers
from glassworks.recommendation.session import RecommendSession
from glassworks.runtimes import open_session
from glassworks.tasks.recommendation import Recommendation

if find_spec("usearch") is None:
    pytest.skip("needs usearch", allow_module_level=True)  # importing it here would be what `nearest` guards against
ITEMS, USERS, SIZE = 4000, 40, 12


class Products(Scorer):
    """The sum of the history's vectors, times an item's."""

    name = "products"

    def __init__(self, factors: NDArray[np.float32]) -> None:
        self._factors = factors

    @property
    def items(self) -> int:
        return len(self._factors)

    def vectors(self) -> NDArray[np.float32]:
        return self._factors

    def users(self, histories: Sparse) -> NDArray[Any]:
        return np.asarray(histories @ self._factors, np.float32)

    def scores(self, histories: Sparse) -> NDArray[np.float32]:
        return np.asarray(self.users(histories) @ self._factors.T, np.float32)

    def contributions(self, history: Sparse, items: NDArray[np.int64]) -> NDArray[np.float32]:
        parts = self._factors[items] @ self._factors[history.indices].T
        return np.asarray(parts * history.data, np.float32)

    def arrays(self) -> Arrays:
        return {"factors": self._factors}

    @property
    def parameters(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_arrays(cls, arrays: Arrays, parameters: Any) -> Products:
        return cls(arrays["factors"])


def log() -> Interactions:
    generator = np.random.default_rng(2)
    item = generator.integers(0, ITEMS, USERS * 9).astype(np.int32)
    table = polars.DataFrame({"id": np.arange(ITEMS), "price": np.arange(ITEMS) / ITEMS})
    return Interactions(
        source="test",
        users=polars.Series(np.arange(USERS)),
        items=table["id"],
        user=np.repeat(np.arange(USERS, dtype=np.int32), 9),
        item=item,
        time=None,
        weight=np.ones(len(item), np.float32),
        liked=np.ones(len(item), np.bool_),
        table=table,
        columns=ItemColumns(numbers=("price",)),
        fingerprint="test",
    )


def opened(folder: Path, monkeypatch: pytest.MonkeyPatch, smallest: int) -> RecommendSession:
    """The session of a catalog whose vectors have different lengths."""
    generator = np.random.default_rng(1)
    vectors = (generator.normal(size=(ITEMS, SIZE)) * generator.uniform(0.5, 1.5, (ITEMS, 1))).astype(np.float32)
    monkeypatch.setattr("glassworks.recommendation.artifact.scorers", lambda: {**scorers(), "products": Products})
    monkeypatch.setattr(nearest, "SMALLEST", smallest)
    folder.mkdir()
    artifact = write_arrays(Products(vectors), log(), folder).model_copy(update={"runtime": "arrays"})
    session = open_session(Recommendation(), Opened(artifact=artifact, folder=folder), {})
    assert isinstance(session, RecommendSession)
    assert (nearest.FILE in artifact.beside) == (smallest < ITEMS)
    return session


def test_candidates_find_nearly_all_and_score_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = opened(tmp_path / "exact", monkeypatch, ITEMS)
    quick = opened(tmp_path / "quick", monkeypatch, 100)
    reported = json.loads((tmp_path / "quick" / "predict.json").read_text(encoding="utf-8"))["nearest"]
    assert reported["recall_at_10"] >= 0.98
    assert reported["histories"] == USERS
    asked = [{"user": user} for user in range(USERS)]
    hits = 0
    for wanted, found in zip(ask(exact, *asked), ask(quick, *asked), strict=True):
        scores = {each["item"]: each["score"] for each in wanted["items"]}
        assert len(found["items"]) == 10
        both = [each for each in found["items"] if each["item"] in scores]
        assert all(each["score"] == pytest.approx(scores[each["item"]], rel=1e-5) for each in both)
        hits += len(both)
    assert hits >= 0.95 * 10 * USERS


def test_rules_that_leave_few_candidates_have_everything_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = opened(tmp_path / "exact", monkeypatch, ITEMS)
    quick = opened(tmp_path / "quick", monkeypatch, 100)
    for rules in (
        {"where": {"price": {"max": 0.002}}},
        {"allow": [1, 2, 3]},
        {"k": 1000},
        {"boost": [{"factor": 9, "items": [5]}]},
    ):
        wanted, found = (ask(session, {"user": 3, **rules})[0] for session in (exact, quick))
        assert [each["item"] for each in found["items"]] == [each["item"] for each in wanted["items"]]
        assert found["shortage"] == wanted["shortage"]


def test_a_graph_that_finds_too_little_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "_recall", lambda *_: 0.5)
    histories = csr_array((np.ones(4, np.float32), np.arange(4), np.arange(5)), shape=(4, ITEMS))
    vectors = np.random.default_rng(0).normal(size=(ITEMS, SIZE)).astype(np.float32)
    reported = nearest.write_nearest(Products(vectors), histories, tmp_path, 100)
    assert reported is not None
    assert not reported["used"]
    assert "file" not in reported
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_graph_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(tmp_path / "quick", monkeypatch, 100)
    file = tmp_path / "quick" / nearest.FILE
    file.write_bytes(b"no graph")
    with pytest.raises(GlassworksError, match="no graph of vectors"):
        nearest.Nearest(file, Products(np.zeros((ITEMS, SIZE), np.float32)), {"expansion": 64})


def test_the_graph_of_a_fitted_factorization_finds_what_the_scan_finds(tmp_path: Path) -> None:
    """Many histories at once, as packaging checks them: its solver gives vectors that lie column by column."""
    pytest.importorskip("implicit")
    from glassworks.families._recommendation.factorization import fit_factors

    generator = np.random.default_rng(0)
    user = np.repeat(np.arange(USERS), 20)
    item = (generator.integers(0, 100, len(user)) * 4 + user % 4).astype(np.int32)  # four tastes
    likes = sparse_rows(user.astype(np.int32), item, np.ones(len(user), np.float32), (USERS, 400))
    factors = fit_factors(likes, factors=8, alpha=1.0, regularization=0.01, iterations=3, seed=0, threads=1)
    reported = nearest.write_nearest(factors, likes, tmp_path, smallest=0)
    assert reported is not None
    assert (reported["used"], reported["histories"], reported["recall_at_10"]) == (True, USERS, 1.0)
    found = nearest.Nearest(tmp_path / nearest.FILE, factors, reported)
    for row in range(USERS):
        exact, near = factors.scores(likes[[row]])[0], found.scores(likes[[row]])
        assert np.allclose(np.sort(near)[-10:], np.sort(exact)[-10:], rtol=1e-4)


BESIDE = """
from glassworks.recommendation import nearest
assert len(nearest._graph()(ndim=3)) == 0
import onnxruntime
"""


def test_the_other_engine_can_be_loaded_after_it() -> None:
    """In a fresh process, as a server that first opens a large catalog and later a classifier."""
    done = subprocess.run([sys.executable, "-c", BESIDE], capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
