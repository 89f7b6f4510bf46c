"""Objectives as people write them, and what they mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from glassworks.config import OptimizationConfig
from glassworks.contracts import Candidate, Measurement, Task
from glassworks.errors import ConfigError
from glassworks.optimization.nearest import impossible
from glassworks.optimization.objective import parse_objective, require_objective
from glassworks.optimization.power import Counters


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
    assert parse_objective(minimize, []).goal.of(WRITER, WRITER) == value


@pytest.mark.parametrize(
    ("minimize", "measured"), [("latency_p99", WRITER), ("time_per_token", REFERENCE), ("first_token_p99", REFERENCE)]
)
def test_times_of_another_kind_of_model_are_told(minimize: str, measured: Candidate) -> None:
    with pytest.raises(ConfigError, match="is not measured of this kind of model"):
        parse_objective(minimize, []).goal.of(measured, measured)


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
    assert parse_objective(minimize, []).goal.of(REFERENCE, REFERENCE) == value


@pytest.mark.parametrize(
    ("minimize", "within", "told"),
    [
        ("the fastest", [], "cannot minimize 'the fastest'"),
        ("latency_p99", ["accuracy < 1"], "'accuracy < 1' is not a constraint"),
        ("latency_p99", ["accuracy_drop <= half"], "is not a constraint"),
        ("latency_p99", ["size <= 1.2.3MB"], "1.2.3 is not a number"),
        ("latency_p99", ["accuracy_drop <= 5ms"], "'ms' is no unit of accuracy"),
        ("latency_p99", ["latency_p99@1x65 <= 5ms"], "of at most 4096 rows and 64"),
        ("latency_p99@0", [], "a load is BATCH or BATCHxCALLERS"),
        ("throughput", [], "cannot minimize 'throughput': less would be worse"),
        ("latency_p99", ["latency_p99 >= 5ms"], "'latency_p99 >= 5ms' would forbid speed"),
        ("latency_p99", ["throughput@32 <= 100/s"], "'throughput@32 <= 100/s' would forbid speed"),
        ("latency_p99", ["size <= nan"], "nan is no limit"),
        ("latency_p99", ["size <= infMB"], "inf is no limit"),
        ("latency_p99", ["accuracy_drop <= -0.5%"], "a limit is not negative"),
        ("latency_p99", ["size <= 0MB"], "nothing has no size"),
        ("latency_p99", ["size <= 1MB", "size >= 2MB"], "'size <= 1MB' and 'size >= 2MB' contradict each other"),
        ("latency_p99", ["size <= 1MB", "size <= 2MB"], "limit the same on the same side"),
        ("latency_p99", ["accuracy_drop <= 1%", "accuracy_drop<=0.01"], "limit the same on the same side"),
        ("latency_p99", ["energy <= 5ms"], "'ms' is no unit of energy"),
        ("latency_p99", ["memory@32 <= 5MB"], "memory does not depend on a load"),
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


@pytest.mark.parametrize(
    ("text", "kept", "broken"),
    [
        ("size <= 30%", candidate(0.9, size_bytes=300), candidate(0.9, size_bytes=301)),
        ("latency_p99 <= 50%", candidate(0.9, p99_ms=0.5), candidate(0.9, p99_ms=0.51)),
        ("throughput >= 120%", candidate(0.9, p99_ms=0.8), candidate(0.9, p99_ms=0.85)),
        ("throughput@1 >= 2500 rows/s", candidate(0.9, p99_ms=0.8), candidate(0.9, p99_ms=0.81)),
        ("throughput >= 9000/s", candidate(0.9, p99_ms=0.8), candidate(0.9, p99_ms=0.9)),
    ],
)
def test_shares_of_the_reference_and_rates(text: str, kept: Candidate, broken: Candidate) -> None:
    (rule,) = parse_objective("latency_p99", [text]).within
    assert rule.holds(kept, REFERENCE)
    assert not rule.holds(broken, REFERENCE)


def test_what_is_measured_on_demand_is_known_by_its_load() -> None:
    measured = {
        "memory": Measurement(value=120.0, interval=(120, 120), examples=1),
        "latency_p99@1x8": Measurement(value=9.0, interval=(8, 10), examples=300),
    }
    given = candidate(0.9).model_copy(update={"measured": measured})
    rules = parse_objective("latency_p99@1x8", ["memory <= 0.12GB", "latency_p99@1x8 <= 9ms"])
    assert rules.goal.of(given, REFERENCE) == 9.0
    assert all(rule.holds(given, REFERENCE) for rule in rules.within)
    with pytest.raises(ConfigError, match="'memory' is not measured of this kind"):
        rules.within[0].holds(REFERENCE, REFERENCE)


def test_what_is_maximized() -> None:
    objective = parse_objective("", ["size <= 1MB"], maximize="throughput")
    assert objective.goal.of(REFERENCE, REFERENCE) == 8000.0
    assert objective.cost(REFERENCE, REFERENCE) == -8000.0
    with pytest.raises(ConfigError, match="cannot maximize 'size': less would be better"):
        parse_objective("", [], maximize="size")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (OptimizationConfig(minimize="size", maximize="throughput"), r"both 'minimize' \(size\) and 'maximize'"),
        (OptimizationConfig(minimize="accuracy"), "cannot minimize 'accuracy'"),
        (OptimizationConfig(maximize="log_loss"), "to maximize 'log_loss' would seek the worst"),
        (OptimizationConfig(maximize="accuracy_drop"), "to maximize 'accuracy_drop' would seek the worst"),
        (OptimizationConfig(minimize="speed"), "cannot minimize 'speed'"),
        (OptimizationConfig(within=("accuracy_rise <= 1%",)), "more accuracy is better"),
    ],
)
def test_what_would_seek_the_worst_is_told_before(config: OptimizationConfig, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as error:
        require_objective(config, REFERENCE.metrics)
    assert error.value.mend
    require_objective(OptimizationConfig(minimize="log_loss_drop"), REFERENCE.metrics)
    require_objective(OptimizationConfig(maximize="accuracy", within=("throughput@1x4 >= 5/s",)), REFERENCE.metrics)


def test_energy_is_refused_where_the_machine_does_not_tell_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def limits() -> None:
        require_objective(OptimizationConfig(within=("energy <= 5mJ",)), REFERENCE.metrics)

    monkeypatch.setattr(Counters.__init__, "__defaults__", (tmp_path,))
    with pytest.raises(ConfigError, match="shows no energy counters"):
        limits()
    package, part = tmp_path / "intel-rapl:0", tmp_path / "intel-rapl:0:0"
    for folder in (package, part):
        folder.mkdir()
        (folder / "energy_uj").write_text("900000\n")
        (folder / "max_energy_range_uj").write_text("1000000\n")
    limits()
    counters = Counters()
    before = counters.read()
    (package / "energy_uj").write_text("400000\n")  # it has begun again
    assert counters.joules_since(before) == pytest.approx(0.5)
    (package / "energy_uj").write_text("many\n")
    with pytest.raises(ConfigError, match="cannot be read"):
        limits()


def test_limits_that_cannot_be_kept_name_the_nearest_and_what_is_reachable() -> None:
    objective = parse_objective("latency_p99", ["size <= 20%", "accuracy_drop <= 0.5%"])
    small, good = candidate(0.93, size_bytes=298), candidate(0.947, size_bytes=400)
    others = [each.model_copy(update={"name": name}) for name, each in (("int8 a", small), ("bf16 b", good))]
    told = impossible([REFERENCE, *others], REFERENCE, objective)
    assert told.problem == ("no candidate keeps the constraints; the nearest, bf16 b, breaks: size <= 20% (it has 40%)")
    assert told.mend == "relax what blocks it in [optimization] within: size <= 40% is reached by bf16 b"
    assert told.exit_code == 1
    fast = parse_objective("size", ["size <= 10%", "latency_p99 <= 0.5ms"])
    one, two = candidate(0.9, p99_ms=0.4004, size_bytes=900), candidate(0.9, p99_ms=0.61, size_bytes=99)
    found = impossible([one.model_copy(update={"name": "a"}), two.model_copy(update={"name": "b"})], REFERENCE, fast)
    assert "the nearest, b, breaks: latency_p99 <= 0.5ms (it has 0.61ms)" in found.problem


def test_two_limits_that_block_are_told_with_what_each_could_be() -> None:
    objective = parse_objective("size", ["size <= 10%", "latency_p99 <= 0.1ms", "accuracy_drop <= 1%"])
    one = candidate(0.95, p99_ms=0.5, size_bytes=500)
    told = impossible([REFERENCE, one], REFERENCE, objective)
    assert "size <= 10% (it has 50%), latency_p99 <= 0.1ms (it has 0.5ms)" in told.problem
    assert "size <= 50%, latency_p99 <= 0.5ms is reached by x" in told.mend
