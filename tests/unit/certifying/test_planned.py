"""How much time a certificate gets."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from glassworks.catalog import get
from glassworks.certifying import Subject, planned
from glassworks.config import OptimizationConfig
from glassworks.contracts import Task
from glassworks.progress import Silent


def subject(task: str) -> Subject:
    return cast("Subject", SimpleNamespace(trial=SimpleNamespace(task=get(Task, task))))


@pytest.mark.parametrize(
    ("config", "asked", "left"),
    [
        (OptimizationConfig(budget=60.0), True, 40.0),
        (OptimizationConfig(budget=300.0), True, 240.0),
        (OptimizationConfig(budget=2.9), True, None),
        (OptimizationConfig(budget=60.0), False, 40.0),
        (OptimizationConfig(budget=300.0), False, 280.0),
        (OptimizationConfig(budget=29.0), False, None),
        (OptimizationConfig(budget=3.0, certify=True), False, 2.0),
        (OptimizationConfig(budget=300.0, certify=False), True, None),
    ],
)
def test_a_third_of_the_budget_and_not_more_than_its_most(
    config: OptimizationConfig, asked: bool, left: float | None
) -> None:
    found, certify = planned(config, subject("image-classification"), Silent(), asked=asked)
    assert found.budget == (config.budget if left is None else pytest.approx(left))
    assert (certify is None) == (left is None)


def test_models_that_write_need_no_time_for_it() -> None:
    found, certify = planned(OptimizationConfig(budget=1.0), subject("text-generation"), Silent(), asked=False)
    assert found.budget == 1.0
    assert certify is not None
