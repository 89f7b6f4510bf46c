"""Objectives as people write them, and what they mean."""

from __future__ import annotations

import pytest

from glassworks.config import OptimizationConfig
from glassworks.contracts import Candidate, Measurement, Task
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


def language_model(perplexity: float, tokens_per_second: float = 40.0, first_token_ms: float = 100.0) -> Candidate:
    """A measured candidate that writes text."""
    return Candidate(
        name="y",
        engine="openvino_genai",
        precision="fp32",
        speeds={"tokens_per_second": tokens_per_second, "first_token_p50": 50.0, "first_token_p99": first_token_ms},
        size_bytes=1000,
        metrics={
            "perplexity": Measurement(value=perplexity, interval=(0, 99), examples=100, higher_is_better=False),
            "agreement": Measurement(value=1.0, interval=(0, 1), examples=100),
        },
    )


WRITER = language_model(20.0)


@pytest.mark.parametrize(
    ("text", "kept", "broken"),
    [
        ("perplexity_rise <= 2%", language_model(20.4), language_model(20.41)),
        ("perplexity_rise <= 0.02", language_model(19.0), language_model(24.4)),
        ("perplexity <= 21", language_model(21.0), language_model(21.1)),
        ("tokens_per_second >= 20", language_model(20.0, 20.0), language_model(20.0, 19.9)),
        ("first_token_p99 <= 0.3s", language_model(20.0, 1.0, 300.0), language_model(20.0, 1.0, 301.0)),
    ],
)
def test_constraints_of_models_that_write(text: str, kept: Candidate, broken: Candidate) -> None:
    (rule,) = parse_objective("size", [text]).within
    assert rule.holds(kept, WRITER)
    assert not rule.holds(broken, WRITER)


def test_a_rise_is_told_with_its_figures() -> None:
    (rule,) = parse_objective("size", ["perplexity_rise <= 1%"]).within
    told = rule.broken(language_model(24.4), WRITER)
    assert told == "perplexity_rise <= 1%: perplexity rises by 22.00%, from 20 to 24.4"


def test_what_gets_better_as_it_rises_has_no_limit_of_its_rise() -> None:
    (rule,) = parse_objective("size", ["agreement_rise <= 1%"]).within
    with pytest.raises(ConfigError, match="more agreement is better"):
        rule.holds(WRITER, WRITER)


@pytest.mark.parametrize(("minimize", "value"), [("time_per_token", 25.0), ("first_token_p50", 50.0)])
def test_what_is_minimized_of_models_that_write(minimize: str, value: float) -> None:
    assert parse_objective(minimize, []).minimize.of(WRITER, WRITER) == value


@pytest.mark.parametrize(
    ("minimize", "measured"), [("latency_p99", WRITER), ("time_per_token", REFERENCE), ("first_token_p99", REFERENCE)]
)
def test_times_of_another_kind_of_model_are_told(minimize: str, measured: Candidate) -> None:
    with pytest.raises(ConfigError, match="is not measured of this kind of model"):
        parse_objective(minimize, []).minimize.of(measured, measured)


class Writing(Task):
    """A task whose models write text, as far as objectives look at it."""

    minimize = "size"
    timings = ("tokens_per_second", "time_per_token", "first_token_p50", "first_token_p99")


@pytest.mark.parametrize(
    ("config", "task", "refused"),
    [
        (OptimizationConfig(within=("tokens_per_second >= 2", "perplexity_rise <= 1%")), Writing, ""),
        (OptimizationConfig(minimize="time_per_token"), Writing, ""),
        (OptimizationConfig(minimize="latency_p99"), Writing, "'latency_p99' is not measured of this kind"),
        (OptimizationConfig(), Task, ""),
        (OptimizationConfig(within=("tokens_per_second >= 2",)), Task, "'tokens_per_second' is not measured of this"),
    ],
)
def test_times_of_another_kind_of_model_are_told_before(
    config: OptimizationConfig, task: type[Task], refused: str
) -> None:
    if not refused:
        require_objective(config, task=task)
        return
    with pytest.raises(ConfigError, match=refused):
        require_objective(config, task=task)


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
        ("size@8", [], "cannot minimize 'size@8'"),
        ("tokens_per_second", [], "cannot minimize 'tokens_per_second'"),
        ("size", ["tokens_per_second <= 5"], "'tokens_per_second <= 5' would forbid speed"),
        ("size", ["tokens_per_second >= 5ms"], "'ms' is no unit of tokens_per_second"),
        ("size", ["first_token_p99@8 <= 5ms"], "is not a constraint"),
        ("size", ["size_rise <= 10%"], "'size_rise <= 10%' is not a constraint"),
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
