"""What is chosen where only what could be chosen is measured is what measuring all would choose."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from glassworks.catalog import get
from glassworks.config import OptimizationConfig
from glassworks.contracts import Artifact, Candidate, Measurement, Runtime, Task
from glassworks.errors import Infeasible
from glassworks.optimization import screening
from glassworks.optimization.candidates import Planned
from glassworks.optimization.choice import choose, reference_of
from glassworks.optimization.objective import parse_objective
from glassworks.optimization.terms import Objective
from glassworks.progress import Silent

PRECISIONS = ("int8", "fp16", "int4", "bf16")


class Form:
    """A form that is open, and what is measured of it; `opened` counts those that were."""

    opened = 0

    def __init__(self, perplexity: float, *, writes: bool) -> None:
        self.perplexity, self.writes = perplexity, writes
        Form.opened += 1

    def close(self) -> None:
        """Nothing is held."""


def forms(random: np.random.Generator) -> list[Candidate]:
    """Of what was trained and of up to seven others, whose sizes are often alike but for the tie."""
    sizes = [int(size) for size in random.choice([1000, 300, 304, 310, 500, 505, 990], 1 + random.integers(2, 8))]
    precisions = ["fp32", *random.choice(PRECISIONS, len(sizes) - 1)]
    return [
        Candidate(
            name=f"{precision} {number}",
            engine="openvino_genai",
            precision=str(precision),
            size_bytes=size,
            metrics={"perplexity": measured(10.0 if number == 0 else float(random.integers(98, 110)) / 10)},
        )
        for number, (precision, size) in enumerate(zip(precisions, sizes, strict=True))
    ]


def measured(value: float) -> Measurement:
    return Measurement(value=value, interval=(value, value), examples=9, higher_is_better=False)


def screened(every: list[Candidate], objective: Objective, monkeypatch: pytest.MonkeyPatch, mute: str = "") -> Any:
    """The search among these forms; `mute` cannot write."""
    runtime = get(Runtime, "openvino_genai")
    plans = [
        Planned(
            name=each.name,
            artifact=Artifact(
                role="predict", file="m.xml", format="openvino", precision=each.precision, runtime=runtime.name
            ),
            trained=number == 0,
            runtime=runtime,
            made_for=runtime.name,
            size_bytes=each.size_bytes,
        )
        for number, each in enumerate(every)
    ]
    known = {each.name: each.metrics["perplexity"].value for each in every}

    def speeds(sessions: dict[str, Form], *_: object) -> dict[str, dict[str, float]]:
        ((name, form),) = sessions.items()
        if not form.writes:
            raise RuntimeError("it cannot write")
        return {name: {"tokens_per_second": 1.0}}

    def decisive(ask: Any, *_: object) -> dict[str, Measurement]:
        return {"perplexity": measured(ask.args[0].perplexity)}

    task = SimpleNamespace(decisive=decisive, speeds=speeds)
    opened = SimpleNamespace(folder=Path())
    trial = SimpleNamespace(task=task, opened=opened, validation={}, targets=np.zeros(9, int), preprocessing={})
    monkeypatch.setattr(screening, "planned", lambda *_: (plans, []))
    monkeypatch.setattr(Planned, "open", lambda each, _: Form(known[each.name], writes=each.name != mute))
    return screening.screened(cast("Any", trial), OptimizationConfig(), objective, Silent())


def chosen(candidates: list[Candidate], trained: set[str], objective: Objective) -> str:
    try:
        return choose(candidates, reference_of(candidates, trained, objective), objective)[0].name
    except Infeasible as error:
        return error.problem


OBJECTIVES = (
    parse_objective("size", ["perplexity_rise <= 1%"]),
    parse_objective("size", ["perplexity <= 10.2", "size <= 80%"]),
    parse_objective("size", []),
    parse_objective("perplexity_drop", ["size <= 60%"]),
)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=["size", "absolute", "free", "metric"])
def test_the_choice_is_that_of_measuring_all(objective: Objective, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    Form.opened, every = 0, 0
    for _ in range(200):
        known = forms(random)
        every += 1 + len(known)  # what is chosen is opened once more
        found = screened(known, objective, monkeypatch)
        assert chosen(found.candidates, found.trained, objective) == chosen(known, {known[0].name}, objective)
    assert Form.opened <= every
    if objective.goal.name == "size":
        assert Form.opened < 0.9 * every


def test_without_what_cannot_write_the_choice_is_that_among_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    random, objective = np.random.default_rng(0), OBJECTIVES[0]
    for _ in range(200):
        known = forms(random)
        first = chosen(known, {known[0].name}, objective)
        if first == known[0].name:
            continue
        found = screened(known, objective, monkeypatch, mute=first)
        others = [each for each in known if each.name != first]
        assert chosen(found.candidates, found.trained, objective) == chosen(others, {known[0].name}, objective)
        assert {each.name: each.excluded for each in found.excluded}[first] == "it cannot write"


def test_times_are_measured_side_by_side() -> None:
    trial = cast("Any", SimpleNamespace(task=get(Task, "text-generation")))
    assert all(screening.is_screened(trial, each) for each in OBJECTIVES)
    assert not screening.is_screened(trial, parse_objective("size", ["first_token_p99 <= 300ms"]))
    assert not screening.is_screened(trial, parse_objective("tokens_per_second", [], "tokens_per_second"))
    other = cast("Any", SimpleNamespace(task=get(Task, "image-classification")))
    assert not screening.is_screened(other, parse_objective("size", []))
