"""KernelSHAP: exact where all coalitions are asked; sampled values lie within their standard errors."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.explanation.games import Neighbors

from glassworks.contracts import Budget
from glassworks.explanation.coalitions import Game, shapley_values
from glassworks.explanation.methods.kernel_shap import KernelShap


def explained(players: int, rows: int | None, seed: int = 0) -> tuple[np.ndarray, np.ndarray, float]:
    session, ones = Neighbors(players), np.ones((1, 1, players), np.float32)
    found = KernelShap().explain(session, ones, 0, np.zeros_like(ones), Budget(max_rows=rows), seed)
    assert found.errors is not None
    assert found.values.sum() == pytest.approx(found.score - (found.baseline_score or 0), abs=1e-4)
    assert rows is None or found.forward <= rows
    return found.values.ravel(), found.errors.ravel(), found.score


def test_all_coalitions_give_the_values_themselves() -> None:
    ones = np.ones((1, 1, 6), np.float32)
    exact = shapley_values(Game(Neighbors(6), ones, np.zeros_like(ones), 0))
    values, errors, _ = explained(6, None)
    assert values == pytest.approx(exact, abs=1e-6)
    assert not errors.any()


def test_sampled_values_are_as_close_as_their_errors_say_and_repeat() -> None:
    ones = np.ones((1, 1, 10), np.float32)
    exact = shapley_values(Game(Neighbors(10), ones, np.zeros_like(ones), 0))
    distances = []
    for seed in range(20):
        values, errors, _ = explained(10, 200, seed)
        distances += ((values - exact) / errors).tolist()
    assert 0.5 < np.std(distances) < 2
    assert np.array_equal(explained(10, 200, 3)[0], explained(10, 200, 3)[0])


def test_too_few_rows_are_said() -> None:
    session, ones = Neighbors(30), np.ones((1, 1, 30), np.float32)
    found = KernelShap().explain(session, ones, 0, np.zeros_like(ones), Budget(max_rows=10), 0)
    assert not found.converged
    assert found.forward <= 10
