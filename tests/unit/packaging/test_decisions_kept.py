"""Costs of a job: chosen on validation texts, kept in the bundle, told in the card, and honored by whoever opens it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from glassworks import flow
from glassworks.catalog import get
from glassworks.config import DecisionConfig, Job
from glassworks.contracts import DECISION, Family
from glassworks.errors import ConfigError
from glassworks.packaging.opened import OpenedBundle
from glassworks.registry import Registry


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("costs")


def job(folder: Path, costs: dict[str, float]) -> Job:
    tiny = get(Family, "recurrent_text").tiny(folder)
    training = tiny.training.model_copy(update={"epochs": 1, "threads": 1})
    return tiny.model_copy(update={"training": training, "decision": DecisionConfig(costs=costs)})


def test_a_cost_moves_answers_to_its_class_everywhere(folder: Path) -> None:
    plain = flow.prepare(job(folder, {}))
    dear = plain.classes[0]
    registry = Registry.open({"GLASSWORKS_HOME": str(folder / "home")})
    made = flow.train(job(folder, {dear: 1000.0}), registry)
    manifest, test = made.bundle.manifest, made.dataset.splits["test"]
    assert manifest.signature.outputs[-1].name == DECISION
    decision = manifest.preprocessing[DECISION]
    assert isinstance(decision, dict)
    assert decision["costs"] == [1000.0] + [1.0] * (len(plain.classes) - 1)
    opened = OpenedBundle(made.bundle, limited=False)
    outputs = opened.predict(test.x)
    answers = opened.task.answer(outputs, manifest.labels)
    weights = np.array(decision["weights"])
    wanted = (outputs["probabilities"] * weights).argmax(axis=1)
    assert [each["label"] for each in answers] == [manifest.labels[index] for index in wanted]
    assert len({each["label"] for each in answers}) < len(plain.classes) or wanted.tolist().count(0) > len(test) / 3
    (first,) = [each for each in manifest.classes if each.label == dear]
    assert first.recall is not None and first.recall.value == 1.0
    right = np.mean([each["label"] == manifest.labels[y] for each, y in zip(answers, test.y, strict=True)])
    assert manifest.metrics["accuracy"].value == pytest.approx(right)
    assert manifest.metrics["cost"].value == pytest.approx(1 - right)
    card = (made.bundle.folder / "card.md").read_text(encoding="utf-8")
    assert f"(missing {dear} 1000; every other class 1)" in card
    assert f"| {dear} | {first.examples} | 1 [" in card
    _, metrics, classes, *_ = flow.evaluate(made.version.reference, registry)
    assert metrics["cost"].value == pytest.approx(manifest.metrics["cost"].value)
    assert classes == manifest.classes
    explanation = opened.explain(test.x[:1], grade=False)
    assert explanation.label == answers[0]["label"]


def test_a_class_that_is_not_there_is_refused_before_training(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"decision\.costs names 'nobody', which is no class"):
        flow.train(job(folder, {"nobody": 2.0}), Registry.open({"GLASSWORKS_HOME": str(folder / "home")}))
