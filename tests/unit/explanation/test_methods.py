"""Axioms and promises of the methods that need no oracle."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.explanation.compiled import Compiled

from glassworks.catalog import found, get
from glassworks.contracts import Budget, Explainer, Signature, TensorSpec
from glassworks.explanation.gradients import clenshaw_curtis, enlarge


class LinearModel:
    """scores = x . w for two classes; every attribution method has a closed form on it."""

    signature = Signature(
        inputs=(TensorSpec(name="image", datatype="FP32", shape=(-1, 1, 4, 5)),),
        outputs=(TensorSpec(name="scores", datatype="FP32", shape=(-1, 2)),),
    )

    def __init__(self) -> None:
        self.weights = np.random.default_rng(1).normal(size=(2, 1, 4, 5)).astype(np.float32)

    def run(self, tensors: dict[str, NDArray[np.float32]], outputs: object = None) -> dict[str, NDArray[np.float32]]:
        rows = tensors["image"]
        gradient = self.weights[tensors["target"]] if "target" in tensors else rows
        return {"scores": np.einsum("nchw,kchw->nk", rows, self.weights), "gradient": gradient}


@pytest.mark.parametrize("method", ["integrated_gradients", "input_x_gradient"])
def test_a_linear_model_is_explained_exactly(method: str) -> None:
    model = LinearModel()
    image = np.random.default_rng(2).random((1, 1, 4, 5), dtype=np.float32)
    result = get(Explainer, method).explain(model, image, 1, np.zeros_like(image), Budget(), 0)  # type: ignore[arg-type]
    assert np.allclose(result.values, model.weights[1] * image, atol=1e-6)
    if method == "integrated_gradients":
        assert result.gap is not None
        assert result.gap < 1e-5
        assert result.forward == 9


def test_integrated_gradients_keep_their_promise_or_say_that_they_do_not(compiled: Compiled) -> None:
    explainer = get(Explainer, "integrated_gradients")
    session = compiled.sessions["gradient"]
    for image in compiled.images:
        result = explainer.explain(session, image[None], 1, np.zeros_like(image[None]), Budget(tolerance=0.01), 0)
        change = result.score - (result.baseline_score or 0.0)
        assert result.gap == pytest.approx(
            abs(result.values.sum() - change) / max(abs(change), 1e-6), rel=0.05, abs=1e-4
        )
        assert result.converged == (result.gap is not None and result.gap <= 0.01)
    short = explainer.explain(
        session, compiled.images[:1], 1, np.zeros_like(compiled.images[:1]), Budget(tolerance=1e-9, max_steps=9), 0
    )
    assert not short.converged
    assert short.forward == 9


def test_a_spent_budget_gives_a_partial_answer(compiled: Compiled) -> None:
    image = compiled.images[:1]
    budget = Budget(milliseconds=1e-6, tolerance=1e-9)
    result = get(Explainer, "integrated_gradients").explain(
        compiled.sessions["gradient"], image, 0, np.zeros_like(image), budget, 0
    )
    assert result.forward == 9
    assert not result.converged


OTHERS = {"receptive_field", "history_contributions", "counterfactual"}
"""They ask sessions for more than predictions and gradients."""


@pytest.mark.parametrize("name", sorted(set(found(Explainer)) - OTHERS))
def test_explanations_have_the_inputs_shape_and_repeat_to_the_bit(compiled: Compiled, name: str) -> None:
    explainer = get(Explainer, name)
    session = compiled.sessions.get(explainer.role, compiled.sessions["gradient"])
    if explainer.role == "predict":
        session = LinearModel()  # type: ignore[assignment]
    image = compiled.images[:1] if explainer.role != "predict" else compiled.images[:1, :1, :4, :5].copy()
    results = [explainer.explain(session, image, 1, np.zeros_like(image), Budget(), 7) for _ in range(2)]
    assert results[0].values.shape == image.shape
    assert results[0].values.dtype == np.float32
    assert results[0].values.tobytes() == results[1].values.tobytes()


def test_the_integration_rule_is_nested_and_exact_for_polynomials() -> None:
    nodes, weights = clenshaw_curtis(9)
    assert nodes[0] == 0
    assert nodes[-1] == 1
    for degree in range(9):
        assert float(weights @ nodes**degree) == pytest.approx(1 / (degree + 1), rel=1e-5)
    assert float(weights @ nodes**40) != pytest.approx(1 / 41, rel=1e-3)
    assert np.allclose(clenshaw_curtis(17)[0][::2], nodes, atol=1e-7)


def test_enlarging_keeps_a_constant_and_a_ramp() -> None:
    assert np.allclose(enlarge(np.full((3, 4), 2.5, np.float32), 9, 20), 2.5)
    ramp = enlarge(np.arange(4, dtype=np.float32)[None].repeat(2, axis=0), 4, 16)
    assert np.all(np.diff(ramp[0]) >= 0)
    assert enlarge(np.ones((1, 1), np.float32), 5, 7).shape == (5, 7)
