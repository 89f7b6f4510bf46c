"""Gates before aliases: a version that fell is refused, by chance or by a tolerance, unless it is forced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from glassworks.contracts import Evaluation, ExampleScores, Measurement
from glassworks.data.paired import measured
from glassworks.errors import Conflict, InputError, NotFound
from glassworks.packaging.bundle import Bundle
from glassworks.registry import Registry, Version
from glassworks.registry.gates import Gate, Gates, Unmeasured

Make = Callable[..., Bundle]
GATE = Gate(model="digits", gate="capitals", asked={"source": "csv:x.csv"}, metric="accuracy")


def found(hits: int, of: int = 100, fingerprint: str = "same", higher: bool = True) -> Evaluation:
    scores = ExampleScores(values=np.repeat([1.0, 0], [hits, of - hits]), higher_is_better=higher)
    metric = measured(scores)
    assert metric is not None
    return Evaluation(of, {"accuracy": metric}, scores={"accuracy": scores}, fingerprint=fingerprint)


@pytest.fixture
def versions(registry: Registry, make: Make) -> list[Version]:
    made = [registry.publish(make(content=bytes([number]))) for number in range(2)]
    registry.set_alias("digits", 1, "champion")
    return [registry.find(each.reference) for each in made]


@pytest.fixture
def gates(registry: Registry) -> Gates:
    return Gates(registry)


def test_a_version_that_fell_is_refused_with_both_values(gates: Gates, versions: list[Version]) -> None:
    gates.set(GATE)
    with pytest.raises(Unmeasured, match="digits@2 and digits@1 are not measured on 'capitals'"):
        gates.require_passed(versions[1], "champion")
    gates.keep(GATE, 1, found(90))
    gates.keep(GATE, 2, found(70))
    with pytest.raises(
        Conflict, match=r"digits@2 fell on 'capitals' by more than chance: accuracy 0\.7, 0\.9"
    ) as error:
        gates.require_passed(versions[1], "champion")
    assert max(map(len, str(error.value).split("\n"))) <= 300
    gates.require_passed(versions[1], "candidate")  # names nothing yet
    gates.require_passed(versions[0], "champion")  # names it already


@pytest.mark.parametrize(
    ("hits", "of", "tolerance", "passes"),
    [
        (90, 100, None, True),
        (89, 100, None, True),  # one example is chance
        (0, 2, None, True),  # of two examples nothing is known
        (80, 100, None, False),
        (89, 100, 0.02, True),
        (87, 100, 0.02, False),
        (80, 100, 0.2, True),
        (89, 100, 0.0, False),
        (95, 100, 0.0, True),
    ],
)
def test_by_chance_or_by_a_tolerance(
    gates: Gates, versions: list[Version], hits: int, of: int, tolerance: float | None, passes: bool
) -> None:
    gate = gates.set(GATE.model_copy(update={"tolerance": tolerance}))
    gates.keep(gate, 1, found(min(90, of), of))
    gates.keep(gate, 2, found(hits, of))
    if passes:
        gates.require_passed(versions[1], "champion")
        return
    with pytest.raises(Conflict):
        gates.require_passed(versions[1], "champion")


def test_where_less_is_better(gates: Gates, versions: list[Version]) -> None:
    gates.set(GATE)
    gates.keep(GATE, 1, found(20, higher=False))
    gates.keep(GATE, 2, found(60, higher=False))
    with pytest.raises(Conflict, match="fell"):
        gates.require_passed(versions[1], "champion")
    gates.keep(GATE, 2, found(10, higher=False))
    gates.require_passed(versions[1], "champion")


def test_metrics_without_scores_of_examples_are_compared_by_their_intervals(
    gates: Gates, versions: list[Version]
) -> None:
    gates.set(GATE)
    for version, value in ((1, 0.9), (2, 0.5)):
        metric = Measurement(value=value, interval=(value - 0.1, value + 0.1), examples=50)
        gates.keep(GATE, version, Evaluation(50, {"accuracy": metric}, fingerprint="same"))
    with pytest.raises(Conflict, match="fell"):
        gates.require_passed(versions[1], "champion")


def test_results_of_other_data_are_not_compared(gates: Gates, versions: list[Version]) -> None:
    gates.set(GATE)
    gates.keep(GATE, 1, found(90))
    gates.keep(GATE, 2, found(95, fingerprint="other"))
    with pytest.raises(Unmeasured):
        gates.require_passed(versions[1], "champion")


def test_what_is_forced_is_kept(gates: Gates, versions: list[Version], home: Path) -> None:
    gates.set(GATE)
    gates.keep(GATE, 1, found(90))
    gates.keep(GATE, 2, found(95))
    assert not gates.force_past(versions[1], "champion", "ann"), "it passed"
    gates.keep(GATE, 2, found(50))
    assert gates.force_past(versions[1], "champion", "ann")
    (kept,) = Gates(Registry.open({"GLASSWORKS_HOME": str(home)})).forced("digits")
    assert (kept.version, kept.alias, kept.who) == (2, "champion", "ann")
    assert "accuracy 0.5, 0.9 of digits@1" in kept.why


def test_gates_are_set_anew_and_removed(gates: Gates, versions: list[Version]) -> None:
    gates.set(GATE)
    gates.keep(GATE, 1, found(90))
    result = gates.result(GATE, 1)
    assert result is not None
    assert result.metrics["accuracy"].value == 0.9
    assert result.scores["accuracy"].values.sum() == 90
    gates.set(GATE.model_copy(update={"tolerance": 0.5}))
    assert gates.result(GATE, 1) is None, "results of the gate before are forgotten"
    assert [each.tolerance for each in gates.of("digits")] == [0.5]
    gates.remove("digits", "capitals")
    assert gates.of("digits") == ()
    with pytest.raises(NotFound, match="no gate 'capitals'"):
        gates.get("digits", "capitals")
    with pytest.raises(InputError):
        gates.set(GATE.model_copy(update={"gate": "../x"}))
    with pytest.raises(NotFound, match="no metric"):
        gates.keep(GATE.model_copy(update={"metric": "f1"}), 1, found(9))
