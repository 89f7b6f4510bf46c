"""Objectives as people write them, and what they mean."""

from __future__ import annotations

import pytest

from glassworks.config import OptimizationConfig
from glassworks.contracts import Candidate, Measurement
from glassworks.errors import ConfigError
from glassworks.optimization.objective import parse_objective, require_objective


def candidate(accuracy: float, p99_ms: float = 1.0, size_bytes: int = 1000, loss: float = 0.5) -> Candidate:
    """A measured candidate."""
    return Candidate(
        name="x",
        engine="onnxruntime",
        precision="fp32",
        latency_p50_ms={1: p99_ms / 2, 32: p99_ms * 4},
        latency_p99_ms={1: p99_ms, 32: p99_ms * 8},
        size_bytes=size_bytes,
        metrics={
            "accuracy": Measurement(value=accuracy, interval=(0, 1), examples=100),
            "log_loss": Measurement(value=loss, interval=(0, 1), examples=100, higher_is_better=False),
        },
    )


REFERENCE = candidate(0.95)


@pytest.mark.parametrize(
    ("text", "kept", "broken"),
    [
        ("accuracy_drop <= 0.5%", candidate(0.945), candidate(0.944)),
        ("accuracy_drop<=0.005", candidate(0.96), candidate(0.90)),
        ("log_loss_drop <= 0.1", candidate(0.9, loss=0.6), candidate(0.9, loss=0.61)),
        ("accuracy >= 94%", candidate(0.94), candidate(0.93)),
        ("latency_p99 <= 5ms", candidate(0.9, p99_ms=5), candidate(0.9, p99_ms=5.1)),
        ("latency_p99@32 <= 800us", candidate(0.9, p99_ms=0.1), candidate(0.9, p99_ms=0.2)),
        ("latency_p50 <= 0.001s", candidate(0.9, p99_ms=2), candidate(0.9, p99_ms=3)),
        ("size <= 1.5MB", candidate(0.9, size_bytes=1_500_000), candidate(0.9, size_bytes=1_500_001)),
    ],
)
def test_constraints_hold_exactly_up_to_their_limit(text: str, kept: Candidate, broken: Candidate) -> None:
    (rule,) = parse_objective("latency_p99", [text]).within
    assert rule.holds(kept, REFERENCE)
    assert not rule.holds(broken, REFERENCE)


@pytest.mark.parametrize(
    ("minimize", "value"), [("latency_p99", 1.0), ("latency_p50", 0.5), ("latency_p99@32", 8.0), ("size", 1000.0)]
)
def test_what_is_minimized(minimize: str, value: float) -> None:
    assert parse_objective(minimize, []).minimize.of(REFERENCE, REFERENCE) == value


@pytest.mark.parametrize(
    ("minimize", "within", "told"),
    [
        ("speed", [], "cannot minimize 'speed'"),
        ("latency_p99", ["accuracy < 1"], "'accuracy < 1' is not a constraint"),
        ("latency_p99", ["accuracy_drop <= half"], "is not a constraint"),
        ("latency_p99", ["size <= 1.2.3MB"], "1.2.3 is not a number"),
        ("latency_p99", ["accuracy_drop <= 5ms"], "'ms' is no unit of accuracy"),
        ("latency_p99", ["latency_p99 <= 5%"], "'%' is no unit of latency_p99"),
        ("latency_p99", ["size <= 3ms"], "'ms' is no unit of size"),
        ("latency_p99", ["size_drop <= 10%"], "'size_drop <= 10%' is not a constraint"),
        ("latency_p99", ["latency_p99_drop <= 1ms"], "is not a constraint"),
        ("latency_p99", ["accuracy@32 >= 0.9"], "is not a constraint"),
        ("latency_p99", ["latency_p50@0 <= 1ms"], "is not a constraint"),
    ],
)
def test_a_wrong_objective_is_told(minimize: str, within: list[str], told: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_objective(minimize, within)
    assert told in error.value.problem
    assert error.value.mend


@pytest.mark.parametrize(
    ("text", "told"),
    [("recall >= 0.9", "'recall' is not measured"), ("latency_p99@8 <= 1ms", "measured at batch 1, 32")],
)
def test_what_nobody_will_measure_is_told_before(text: str, told: str) -> None:
    config = OptimizationConfig(minimize="size", within=(text,))
    with pytest.raises(ConfigError, match=told):
        require_objective(config, REFERENCE.metrics)
    require_objective(config.model_copy(update={"within": ("recall >= 0.9", "latency_p99@32 <= 1ms")}))
    require_objective(OptimizationConfig(within=("accuracy_drop <= 1%",)), REFERENCE.metrics)


@pytest.mark.parametrize(
    ("text", "told"),
    [("recall >= 0.9", "'recall' is not measured"), ("latency_p99@8 <= 1ms", "measured at batch 1, 32")],
)
def test_what_nobody_measured_is_told(text: str, told: str) -> None:
    (rule,) = parse_objective("size", [text]).within
    with pytest.raises(ConfigError) as error:
        rule.holds(REFERENCE, REFERENCE)
    assert told in error.value.problem
