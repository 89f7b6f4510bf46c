"""Decisions by cost: Bayes' rule where probabilities are right, and what validation examples say where they are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glassworks.catalog import get
from glassworks.contracts import DECISION, Session, Signature, Task, TensorSpec
from glassworks.errors import ConfigError, Unsupported
from glassworks.tasks._classification import measure_classes
from glassworks.tasks._deciding import Deciding, fit_decision, weighed
from glassworks.tasks.image_classification import OUTPUT

LABELS = ("good", "bad")


def drawn(count: int, seed: int, share: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated probabilities (N 2) of a rare class, and classes drawn from them."""
    generator = np.random.default_rng(seed)
    own = generator.beta(10 * share, 10 * (1 - share), count)
    return np.stack([1 - own, own], axis=1), (generator.random(count) < own).astype(np.int64)


def cost(probabilities: np.ndarray, targets: np.ndarray, decision: dict[str, Any]) -> float:
    return measure_classes(probabilities, targets, "text", {DECISION: decision})["cost"].value


def test_calibrated_probabilities_are_decided_by_bayes_rule() -> None:
    decision = fit_decision(*drawn(400, 0), {"bad": 9.0}, LABELS)
    assert decision == {"costs": [1.0, 9.0], "weights": [pytest.approx(1 / 9), 1.0]}
    scores = weighed(np.array([[0.91, 0.09], [0.89, 0.11]]), {DECISION: decision})
    assert scores.argmax(axis=1).tolist() == [0, 1]
    assert scores.sum(axis=1) == pytest.approx(1)


def test_probabilities_that_are_far_off_are_mended_by_validation_examples() -> None:
    probabilities, targets = drawn(4000, 0)
    odds = probabilities[:, 1] / probabilities[:, 0] / 30  # a network that is far too sure of the frequent class
    wrong = np.stack([1 / (1 + odds), odds / (1 + odds)], axis=1)
    decision = fit_decision(wrong, targets, {"bad": 9.0}, LABELS)
    assert decision["weights"][1] / decision["weights"][0] == pytest.approx(9 * 30, rel=0.5)
    later, truth = drawn(20_000, 1)
    odds = later[:, 1] / later[:, 0] / 30
    later_wrong = np.stack([1 / (1 + odds), odds / (1 + odds)], axis=1)
    best = cost(later, truth, {"costs": [1, 9], "weights": [1, 9]})
    assert cost(later_wrong, truth, decision) < 1.05 * best
    assert cost(later_wrong, truth, {"costs": [1, 9], "weights": [1, 9]}) > 1.4 * best


def test_the_weights_of_few_examples_stay_those_of_theory() -> None:
    probabilities, targets = drawn(12, 3)
    assert fit_decision(probabilities, targets, {"bad": 9.0}, LABELS)["weights"] == [pytest.approx(1 / 9), 1.0]


def test_three_classes_cost_less_than_by_probability_alone() -> None:
    generator = np.random.default_rng(5)
    probabilities = generator.dirichlet([5, 1, 0.5], 3000)
    targets = np.array([generator.choice(3, p=row) for row in probabilities])
    decision = fit_decision(probabilities[:1500], targets[:1500], {"b": 5.0, "c": 20.0}, ("a", "b", "c"))
    later, truth = probabilities[1500:], targets[1500:]
    plain = cost(later, truth, {"costs": decision["costs"], "weights": [1, 1, 1]})
    bayes = cost(later, truth, {"costs": decision["costs"], "weights": decision["costs"]})
    assert cost(later, truth, decision) < 0.7 * plain
    assert cost(later, truth, decision) < 1.1 * bayes


def test_metrics_are_of_what_is_decided_and_log_loss_of_probabilities() -> None:
    probabilities, targets = np.array([[0.8, 0.2], [0.6, 0.4]]), np.array([1, 1])
    found = measure_classes(probabilities, targets, "text", {DECISION: {"costs": [1, 9], "weights": [1, 9]}})
    assert (found["accuracy"].value, found["cost"].value) == (1.0, 0.0)
    assert found["cost"].interval[1] > 1
    assert not found["cost"].higher_is_better
    assert found["log_loss"].value == measure_classes(probabilities, targets, "text")["log_loss"].value
    assert "cost" not in measure_classes(probabilities, targets, "text")


def test_a_class_that_is_not_there_and_several_labels_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"decision.costs names 'evil', which is no class") as caught:
        fit_decision(np.zeros((0, 2)), np.zeros(0, np.int64), {"evil": 3.0}, LABELS)
    assert caught.value.mend == "classes: 'good', 'bad'"
    with pytest.raises(Unsupported, match="several labels"):
        fit_decision(np.zeros((0, 2)), np.zeros((0, 2), np.int64), {"bad": 3.0}, LABELS)
    with pytest.raises(Unsupported, match="decides between no classes"):
        get(Task, "recommendation").decide(np.zeros((0, 2)), np.zeros(0, np.int64), {"bad": 3.0}, LABELS)


class Fixed(Session):
    """Always the same probabilities; remembers what was asked for."""

    def __init__(self) -> None:
        spec = TensorSpec(name=OUTPUT, datatype="FP32", shape=(-1, 2))
        other = TensorSpec(name="embedding", datatype="FP32", shape=(-1, 1))
        self.signature, self.asked = Signature(inputs=(spec,), outputs=(spec, other)), list[Any]()

    def run(self, tensors: Any, outputs: Any = None) -> Any:
        self.asked.append(outputs)
        every = {OUTPUT: np.array([[0.8, 0.2]], np.float32), "embedding": np.ones((1, 1), np.float32)}
        return {name: every[name] for name in outputs}


def test_a_session_puts_out_the_decision_beside_the_probabilities() -> None:
    inner = Fixed()
    session = Deciding(inner, {DECISION: {"costs": [1, 9], "weights": [1, 9]}})
    assert [spec.name for spec in session.signature.outputs] == [OUTPUT, "embedding", DECISION]
    found = session.run({})
    assert list(found) == [OUTPUT, "embedding", DECISION]
    assert found[DECISION][0] == pytest.approx([0.8 / 2.6, 1.8 / 2.6])
    assert list(session.run({}, [DECISION])) == [DECISION]
    assert list(session.run({}, [OUTPUT])) == [OUTPUT]
    assert inner.asked == [[OUTPUT, "embedding"], [OUTPUT], [OUTPUT]]
    assert session.within() is inner


@pytest.mark.parametrize("task", ["image-classification", "text-classification"])
def test_the_answer_is_what_costs_least(task: str) -> None:
    outputs = {
        OUTPUT: np.array([[0.8, 0.2], [0.95, 0.05]]),
        "label_set": np.zeros((2, 2), bool),
        DECISION: np.array([[0.3, 0.7], [0.6, 0.4]]),
    }
    if task == "image-classification":
        del outputs["label_set"]
    first, second = get(Task, task).answer(outputs, LABELS)
    assert (first["label"], first["probability"]) == ("bad", 0.2)
    assert (second["label"], second["probability"]) == ("good", 0.95)
    assert first["top"][0] == ["good", 0.8]
